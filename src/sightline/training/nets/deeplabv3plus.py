"""DeepLabV3+ (Chen et al. 2018, arXiv 1802.02611) for one class, on a mobile backbone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ConvNormAct
from .mobilenet import MobileBackbone

__all__ = ["AtrousPyramid", "DeepLabV3Plus"]


def separable(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """A 3x3 filter a channel, then a 1x1 mixture: DeepLabV3+'s atrous separable convolution."""
    return nn.Sequential(
        ConvNormAct(inputs, inputs, 3, dilation=dilation, groups=inputs), ConvNormAct(inputs, outputs, 1)
    )


class AtrousPyramid(nn.Module):
    """Looks at the same map near and far at once: 1x1, three dilated 3x3, and the whole picture."""

    def __init__(self, inputs: int, outputs: int, rates: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList([ConvNormAct(inputs, outputs, 1)])
        self.branches.extend(separable(inputs, outputs, rate) for rate in rates)
        # No normalisation on the pooled branch: its map is one pixel, a small batch has no spread.
        self.whole = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU(inplace=True))
        self.project = nn.Sequential(ConvNormAct((len(rates) + 2) * outputs, outputs, 1), nn.Dropout2d(dropout))

    def forward(self, x: Tensor) -> Tensor:
        whole = self.whole(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        return self.project(torch.cat([*(branch(x) for branch in self.branches), whole], 1))


class DeepLabV3Plus(nn.Module):
    """Person or background, for every pixel.

    Input: float32, batch x 3 x height x width, RGB 0..1 (standardised inside), sides divisible
    by 16. Output: batch x 1 x height x width logits of "person". The backbone's output stride
    is 16; at 256 pixels rates 3, 6, 9 span the map as 6, 12, 18 do at the paper's 513.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int = 128, rates: tuple[int, ...] = (3, 6, 9), dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = MobileBackbone()
        self.pyramid = AtrousPyramid(self.backbone.coarse_channels, channels, rates, dropout)
        self.low = ConvNormAct(self.backbone.fine_channels, 32, 1)
        self.decoder = nn.Sequential(separable(channels + 32, channels), separable(channels, channels))
        self.head = nn.Conv2d(channels, 1, 1)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        fine, coarse = self.backbone((x - self.mean) / self.deviation)
        seen = F.interpolate(self.pyramid(coarse), fine.shape[2:], mode="bilinear", align_corners=False)
        logits = self.head(self.decoder(torch.cat([seen, self.low(fine)], 1)))
        return F.interpolate(logits, size, mode="bilinear", align_corners=False)
