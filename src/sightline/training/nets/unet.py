"""A plain U-Net (Ronneberger et al. 2015, arXiv 1505.04597): the yardstick beside BCDU-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNormAct

__all__ = ["UNet", "double"]


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""
    return nn.Sequential(ConvNormAct(inputs, outputs), ConvNormAct(outputs, outputs))


class UNet(nn.Module):
    """Four contracting steps, a bottom, and concatenation of the skipped features on the way up.

    Input: float32, batch x 1 x height x width, 0..1, sides divisible by 8.
    Output: batch x 1 x height x width logits of "inside".
    """

    def __init__(self, width: int = 16, channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        inputs = [channels, *widths[:-1]]
        self.down = nn.ModuleList(double(i, o) for i, o in zip(inputs, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout2d(dropout)
        pairs = list(zip(widths[::-1][:-1], widths[::-1][1:], strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in pairs)
        self.up = nn.ModuleList(double(2 * o, o) for _, o in pairs)
        self.head = nn.Conv2d(width, 1, 1)

    def bottom(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features (batch x 8 width x height/8 x width/8) and those skipped on the way."""
        skipped = []
        for step in self.down[:-1]:
            x = step(x)
            skipped.append(x)
            x = self.pool(x)
        return self.dropout(self.down[-1](x)), skipped

    def rebuild(self, x: Tensor, skipped: list[Tensor]) -> Tensor:
        """From what `bottom` returns to logits at the input's size."""
        for rise, up, skip in zip(self.rise, self.up, reversed(skipped), strict=True):
            x = up(torch.cat([skip, rise(x)], 1))
        return self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.rebuild(*self.bottom(x))
