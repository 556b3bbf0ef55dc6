"""The shared tower of a siamese network: a face to a point, near where the person is the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ConvNormAct, SqueezeExcite

__all__ = ["FaceEmbedder", "MarginHead"]


class Block(nn.Module):
    """Residual block as in IResNet (Deng et al. 2019): the stride sits in the second convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNormAct(inputs, outputs, act=nn.ReLU),
            ConvNormAct(outputs, outputs, stride=stride, act=None),
            SqueezeExcite(outputs),
        )
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else ConvNormAct(inputs, outputs, 1, stride=stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class FaceEmbedder(nn.Module):
    """An aligned colour face to ``size`` numbers of length 1.

    Input: float32, batch x 3 x 96 x 96, RGB 0..1. Output: batch x ``size``, length 1: the
    cosine of two outputs is the similarity of two faces.
    """

    def __init__(
        self, widths: tuple[int, int, int, int, int] = (32, 48, 96, 160, 224), size: int = 128, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.size = size
        stem, *stages = widths
        layers: list[nn.Module] = [ConvNormAct(3, stem, stride=2)]
        inputs = stem
        for outputs in stages:
            layers.append(Block(inputs, outputs, 2))
            inputs = outputs
        self.body = nn.Sequential(*layers)
        # Where a feature was seen matters on an aligned face, so the 3x3 map is read out whole.
        self.dropout = nn.Dropout(dropout)
        self.read = nn.Linear(inputs * 9, size, bias=False)
        self.norm = nn.BatchNorm1d(size, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        features = self.body((x - 0.5) * 2).flatten(1)
        return F.normalize(self.norm(self.read(self.dropout(features))), dim=1)


class MarginHead(nn.Module):
    """Cosine softmax with an additive margin (CosFace; Wang et al. 2018, arXiv 1801.09414).

    Only training needs it: one direction a person, and the right one must win by ``margin``.
    """

    def __init__(self, size: int, people: int, *, margin: float = 0.3, scale: float = 24.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(people, size) * 0.1)
        self.margin, self.scale = margin, scale

    def forward(self, points: Tensor, people: Tensor) -> Tensor:
        cosines = points @ F.normalize(self.directions, dim=1).t()
        cosines = cosines - self.margin * F.one_hot(people, cosines.shape[1])
        return F.cross_entropy(self.scale * cosines, people)
