"""Small layers that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ConvNormAct", "SqueezeExcite", "channels_last", "contiguous", "count_parameters"]


class ConvNormAct(nn.Sequential):
    """Convolution with same padding, batch normalisation and (unless told otherwise) ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(
                inputs,
                outputs,
                kernel,
                stride,
                padding=dilation * (kernel // 2),
                dilation=dilation,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(outputs),
        ]
        if act is not None:
            layers.append(act(inplace=True))
        super().__init__(*layers)


class SqueezeExcite(nn.Module):
    """Weighs each channel by what the whole map shows (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


def count_parameters(module: nn.Module) -> int:
    """Trainable numbers in ``module``."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def channels_last(module: nn.Module) -> nn.Module:
    """Lays the weights out as height x width x channels, which trains faster on processors; in place."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def contiguous(module: nn.Module) -> nn.Module:
    """Lays the weights out as they are exported; in place."""
    return module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]
