"""Augmentation in batches: one call changes a whole batch of tensors.

Pictures are float32, batch x channels x height x width, 0..1. Every random number comes from
the generator that is handed in, so a seed fixes a training run. A batch costs a few
milliseconds here where picture by picture it costs a core.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "Affine",
    "blur",
    "brightness_contrast",
    "chance",
    "erase",
    "fade_colour",
    "frame",
    "gamma",
    "invert",
    "noise",
    "shade",
    "tint",
    "uniform",
    "warp",
]


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """``count`` numbers spread evenly over [low, high)."""
    return torch.rand(count, generator=generator) * (high - low) + low


def chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """``count`` booleans, each true with ``probability``."""
    return torch.rand(count, generator=generator) < probability


@dataclass(frozen=True)
class Affine:
    """Limits of a random similarity transform, drawn anew for each picture.

    ``coverage``: which share of the source's side the result shows (below 1 zooms in).
    ``degrees``: largest turn. ``shift``: largest shift beyond the free border, as a share of
    the side. ``aspect``: largest log ratio of the two sides. ``flip``: chance of a mirror image.
    """

    coverage: tuple[float, float] = (0.8, 1.08)
    degrees: float = 15.0
    shift: float = 0.04
    aspect: float = 0.08
    flip: float = 0.5

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` x 2 x 3 matrices for `warp`."""
        coverage = uniform(count, *self.coverage, generator)
        stretch = uniform(count, -self.aspect, self.aspect, generator).exp()
        angle = torch.deg2rad(uniform(count, -self.degrees, self.degrees, generator))
        mirror = torch.where(chance(count, self.flip, generator), -1.0, 1.0)
        free = (1 - coverage).clamp(min=0) + 2 * self.shift
        shift_x = uniform(count, -1, 1, generator) * free
        shift_y = uniform(count, -1, 1, generator) * free
        cos, sin = angle.cos() * coverage, angle.sin() * coverage
        rows = [cos * stretch * mirror, -sin / stretch, shift_x]
        rows += [sin * stretch * mirror, cos / stretch, shift_y]
        return torch.stack(rows, 1).view(count, 2, 3)


def warp(
    pictures: Tensor, matrices: Tensor, size: tuple[int, int], *, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """``pictures`` seen through ``matrices`` (output to input, -1..1), as batch x channels x size."""
    grid = F.affine_grid(matrices, [len(pictures), 1, *size], align_corners=False)
    return F.grid_sample(pictures, grid, mode=mode, padding_mode=padding, align_corners=False)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def brightness_contrast(pictures: Tensor, brightness: float, contrast: float, generator: torch.Generator) -> Tensor:
    """Adds up to ``brightness`` and scales about each picture's mean by up to ``contrast``; clipped to 0..1."""
    count = len(pictures)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    factor = _column(uniform(count, -contrast, contrast, generator).exp())
    offset = _column(uniform(count, -brightness, brightness, generator))
    return ((pictures - mean) * factor + mean + offset).clamp(0, 1)


def gamma(pictures: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """Raises each picture to a power between exp(-limit) and exp(limit)."""
    power = _column(uniform(len(pictures), -limit, limit, generator).exp())
    return pictures.clamp(1e-4, 1).pow(power)


def invert(pictures: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Turns some pictures to their negatives: X-rays come in both polarities."""
    flags = _column(chance(len(pictures), probability, generator))
    return torch.where(flags, 1 - pictures, pictures)


def noise(pictures: Tensor, deviation: float, probability: float, generator: torch.Generator) -> Tensor:
    """Adds Gaussian noise of up to ``deviation`` to some pictures; clipped to 0..1."""
    count = len(pictures)
    level = uniform(count, 0, deviation, generator) * chance(count, probability, generator)
    grain = torch.empty_like(pictures).normal_(generator=generator)
    return (pictures + grain * _column(level)).clamp(0, 1)


def blur(pictures: Tensor, deviation: float, probability: float, generator: torch.Generator) -> Tensor:
    """Blurs the whole batch (with ``probability``) by one Gaussian of up to ``deviation`` pixels."""
    if not bool(chance(1, probability, generator)):
        return pictures
    sigma = float(uniform(1, 0.3, deviation, generator))
    radius = max(1, round(2 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    channels = pictures.shape[1]
    row = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    column = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    padded = F.pad(pictures, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, row, groups=channels), column, groups=channels)


def erase(
    pictures: Tensor,
    side: tuple[float, float],
    probability: float,
    generator: torch.Generator,
    value: float | None = None,
) -> Tensor:
    """Covers one rectangle of some pictures (DeVries and Taylor 2017, cutout).

    ``side``: least and largest side as a share of the picture's. ``value``: the grey to paint;
    None paints the picture's own mean with some variation.
    """
    count, _, height, width = pictures.shape
    half_h = uniform(count, *side, generator) * height / 2
    half_w = uniform(count, *side, generator) * width / 2
    centre_y = uniform(count, 0, height, generator)
    centre_x = uniform(count, 0, width, generator)
    y = torch.arange(height).view(1, -1, 1)
    x = torch.arange(width).view(1, 1, -1)
    inside = ((y - centre_y.view(-1, 1, 1)).abs() < half_h.view(-1, 1, 1)) & (
        (x - centre_x.view(-1, 1, 1)).abs() < half_w.view(-1, 1, 1)
    )
    inside &= chance(count, probability, generator).view(-1, 1, 1)
    if value is None:
        paint = pictures.mean((2, 3), keepdim=True) + _column(uniform(count, -0.3, 0.3, generator))
        paint = paint.clamp(0, 1)
    else:
        paint = torch.full((count, pictures.shape[1], 1, 1), value)
    return torch.where(inside.unsqueeze(1), paint, pictures)


def shade(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Adds a smooth random light field of up to ``strength``: films are rarely exposed evenly."""
    count, _, height, width = pictures.shape
    coarse = (torch.rand(count, 1, 4, 4, generator=generator) * 2 - 1) * strength
    field = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return (pictures + field).clamp(0, 1)


def frame(pictures: Tensor, width: float, probability: float, generator: torch.Generator) -> Tensor:
    """Covers the edges of some pictures with a black or white frame of up to ``width`` of the side."""
    count, _, rows, columns = pictures.shape
    sides = torch.rand(4, count, 1, 1, generator=generator) * width
    sides = sides * chance(count, probability, generator).view(1, -1, 1, 1)
    y = torch.linspace(0, 1, rows).view(1, -1, 1)
    x = torch.linspace(0, 1, columns).view(1, 1, -1)
    outside = (y < sides[0]) | (y > 1 - sides[1]) | (x < sides[2]) | (x > 1 - sides[3])
    paint = chance(count, 0.2, generator).float().view(-1, 1, 1, 1)
    return torch.where(outside.unsqueeze(1), paint, pictures)


def tint(pictures: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """Scales each colour channel by up to ``limit``: white balance differs from camera to camera."""
    factors = (torch.rand(len(pictures), pictures.shape[1], 1, 1, generator=generator) * 2 - 1) * limit
    return (pictures * factors.exp()).clamp(0, 1)


def fade_colour(pictures: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Scales the saturation by ``low``..``high`` (0 makes grey) of RGB pictures."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (pictures * weights).sum(1, keepdim=True)
    return (grey + (pictures - grey) * _column(uniform(len(pictures), low, high, generator))).clamp(0, 1)
