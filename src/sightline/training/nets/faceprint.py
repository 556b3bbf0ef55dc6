"""A siamese tower for few faces: fixed local descriptors, and a learned projection on top.

Four thousand faces are too few for a convolutional tower to learn what an eye is. The
descriptors here know that much beforehand: histograms of gradient directions (Dalal and Triggs
2005) at two scales, and local binary patterns (Ahonen et al. 2006). What tells two people apart
is then one linear map, which a few thousand faces do determine.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BinaryPatterns", "FacePrint", "GradientHistograms", "PrintStem"]

MARGIN = 8
"""Pixels at each edge of a 112x112 face that show hair and background more than the face."""


class Blur(nn.Module):
    """A Gaussian of ``sigma`` pixels; edges are continued. One channel."""

    kernel: Tensor

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.radius = max(1, round(2.5 * sigma))
        steps = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
        self.register_buffer("kernel", (kernel / kernel.sum()).view(1, 1, 1, -1))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.radius,) * 4, mode="replicate")
        return F.conv2d(F.conv2d(padded, self.kernel), self.kernel.transpose(2, 3))


class GradientHistograms(nn.Module):
    """Strength of the gradient in ``bins`` directions, cell by cell.

    Input: grey, batch x 1 x 112 x 112, 0..1. Output: batch x numbers, square-rooted, so that a
    few strong edges do not drown the rest.
    """

    def __init__(self, sigma: float, cell: int, step: int, bins: int = 8) -> None:
        super().__init__()
        self.smooth, self.level = Blur(sigma), Blur(8.0)
        self.cell, self.step = cell, step
        angles = [2 * math.pi * k / bins for k in range(bins)]
        kernels = torch.zeros(bins, 1, 3, 3)
        for number, angle in enumerate(angles):
            kernels[number, 0, 1, 2], kernels[number, 0, 1, 0] = math.cos(angle), -math.cos(angle)
            kernels[number, 0, 2, 1], kernels[number, 0, 0, 1] = math.sin(angle), -math.sin(angle)
        self.register_buffer("kernels", kernels)
        self.kernels: Tensor

    def forward(self, grey: Tensor) -> Tensor:
        slopes = F.conv2d(F.pad(self.smooth(grey), (1, 1, 1, 1), mode="replicate"), self.kernels)
        # The first bin and the one a quarter turn on are the two components of the gradient.
        across, down = slopes[:, :1], slopes[:, slopes.shape[1] // 4 : slopes.shape[1] // 4 + 1]
        strength = torch.sqrt(across * across + down * down + 1e-12)
        votes = F.relu(slopes) ** 2 / (strength + 1e-4)
        # Over its neighbourhood's light: a face half in shadow gives the same numbers.
        votes = votes / (self.level(votes.sum(1, keepdim=True)) + 0.01)
        votes = votes[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        return torch.sqrt(F.avg_pool2d(votes, self.cell, self.step)).flatten(1)


class BinaryPatterns(nn.Module):
    """Which of eight neighbours are brighter, counted cell by cell: 58 uniform patterns and the rest.

    Input: grey, batch x 1 x 112 x 112. Output: batch x numbers, square-rooted.
    """

    def __init__(self, radius: int = 2, cell: int = 16, step: int = 10, sigma: float = 0.8) -> None:
        super().__init__()
        self.smooth, self.cell, self.step, self.radius = Blur(sigma), cell, step, radius
        turns = [2 * math.pi * k / 8 for k in range(8)]
        self.shifts = [(round(radius * math.sin(a)), round(radius * math.cos(a))) for a in turns]
        table, kinds = [], 0
        for code in range(256):
            bits = [(code >> k) & 1 for k in range(8)]
            if sum(bits[k] != bits[(k + 1) % 8] for k in range(8)) <= 2:
                table.append(kinds)
                kinds += 1
            else:
                table.append(58)
        self.register_buffer("table", torch.tensor(table))
        self.register_buffer("kinds", torch.arange(59).view(1, 59, 1, 1))
        self.table: Tensor
        self.kinds: Tensor

    def forward(self, grey: Tensor) -> Tensor:
        grey = self.smooth(grey)
        end = grey.shape[2] - MARGIN
        centre = grey[:, :, MARGIN:end, MARGIN:end]
        code = torch.zeros_like(centre)
        for bit, (dy, dx) in enumerate(self.shifts):
            near = grey[:, :, MARGIN + dy : end + dy, MARGIN + dx : end + dx]
            code = code + (near >= centre).to(grey.dtype) * float(1 << bit)
        kind = self.table[code.to(torch.int64)]
        counted = (kind == self.kinds).to(grey.dtype)
        return torch.sqrt(F.avg_pool2d(counted, self.cell, self.step)).flatten(1)


class PrintStem(nn.Module):
    """All descriptors of a face, averaged with those of its mirror image: nothing here learns.

    Input: float32, batch x 3 x 112 x 112, RGB 0..1. Output: batch x numbers.
    """

    grey: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [GradientHistograms(1.0, 8, 6), GradientHistograms(2.0, 12, 8), BinaryPatterns(2, 16, 10)]
        )
        self.register_buffer("grey", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        grey = (x * self.grey).sum(1, keepdim=True)
        straight, mirrored = (torch.cat([part(x) for part in self.parts], 1) for x in (grey, grey.flip(3)))
        return (straight + mirrored) / 2


class FacePrint(nn.Module):
    """Stem and projection: an aligned colour face to 128 numbers of length 1.

    Input: float32, batch x 3 x 112 x 112, RGB 0..1. Output: batch x 128. The mirror image is
    already averaged in, so one call a face is enough.
    """

    def __init__(self, stem: PrintStem, mean: Tensor, projection: Tensor) -> None:
        super().__init__()
        self.stem = stem
        self.project = nn.Linear(len(mean), projection.shape[1])
        with torch.no_grad():
            self.project.weight.copy_(projection.T)
            self.project.bias.copy_(-mean @ projection)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.project(self.stem(x)), dim=1)
