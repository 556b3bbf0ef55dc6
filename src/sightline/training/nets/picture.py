"""A small network that names whole pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNormAct
from .mobilenet import MobileBackbone

__all__ = ["PictureNet"]


class PictureNet(nn.Module):
    """One of ``count`` labels for a picture.

    Input: float32, batch x 3 x height x width, RGB 0..1 (standardised inside), sides divisible by 16.
    Output: batch x ``count`` logits. The backbone is the one of `deeplabv3plus`, so that either's
    weights can start the other.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, count: int, channels: int = 320, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = MobileBackbone()
        self.widen = ConvNormAct(self.backbone.coarse_channels, channels, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, count)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        """Batch x channels: what the head reads."""
        _, coarse = self.backbone((x - self.mean) / self.deviation)
        return self.widen(coarse).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))
