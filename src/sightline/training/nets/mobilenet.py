"""A MobileNetV2-style backbone (Sandler et al. 2018, arXiv 1801.04381), trained from scratch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNormAct, SqueezeExcite

__all__ = ["InvertedResidual", "MobileBackbone"]


class InvertedResidual(nn.Module):
    """Widen (1x1), filter each channel alone (3x3), weigh the channels, narrow (1x1)."""

    def __init__(
        self, inputs: int, outputs: int, expand: int, *, stride: int = 1, dilation: int = 1, attend: bool = False
    ) -> None:
        super().__init__()
        middle = inputs * expand
        layers: list[nn.Module] = []
        if expand > 1:
            layers.append(ConvNormAct(inputs, middle, 1))
        layers.append(ConvNormAct(middle, middle, 3, stride=stride, dilation=dilation, groups=middle))
        if attend:
            layers.append(SqueezeExcite(middle, 16))
        layers.append(ConvNormAct(middle, outputs, 1, act=None))
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.shortcut else y


class FusedResidual(nn.Module):
    """Widen with a full 3x3 and narrow (1x1): where channels are few, faster than filtering alone.

    Tan and Le 2021 (EfficientNetV2, arXiv 2104.00298). Depthwise filters at full resolution
    move much memory for little arithmetic.
    """

    def __init__(self, inputs: int, outputs: int, expand: int, *, stride: int = 1) -> None:
        super().__init__()
        middle = inputs * expand
        self.layers = nn.Sequential(
            ConvNormAct(inputs, middle, 3, stride=stride), ConvNormAct(middle, outputs, 1, act=None)
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.shortcut else y


class MobileBackbone(nn.Module):
    """RGB to features at a quarter and at a sixteenth of the input's size.

    Input: batch x 3 x height x width. Outputs: batch x 24 x height/4 x width/4 (``fine``) and
    batch x 160 x height/16 x width/16 (``coarse``). The last stage is dilated instead of
    strided, which keeps output stride 16 as DeepLab asks.
    """

    fine_channels = 24
    coarse_channels = 160

    def __init__(self) -> None:
        super().__init__()
        self.to_fine = nn.Sequential(
            ConvNormAct(3, 16, 3, stride=2),
            FusedResidual(16, 24, 3, stride=2),
            FusedResidual(24, 24, 3),
        )
        self.to_coarse = nn.Sequential(
            FusedResidual(24, 40, 3, stride=2),
            FusedResidual(40, 40, 3),
            InvertedResidual(40, 80, 4, stride=2, attend=True),
            InvertedResidual(80, 80, 4, attend=True),
            InvertedResidual(80, 80, 4, attend=True),
            InvertedResidual(80, 112, 4, attend=True),
            InvertedResidual(112, 112, 4, attend=True),
            InvertedResidual(112, 160, 4, dilation=2, attend=True),
            InvertedResidual(160, 160, 4, dilation=2, attend=True),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_fine(x)
        return fine, torch.relu(self.to_coarse(fine))
