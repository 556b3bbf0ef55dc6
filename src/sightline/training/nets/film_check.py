"""A network for masks together with a small judge: is this a chest X-ray at all?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LungsServed", "pooled"]


def pooled(features: Tensor) -> Tensor:
    """Mean and maximum of each channel over space: batch x channels x h x w to batch x 2 channels."""
    return torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)


class LungsServed(nn.Module):
    """What the lungs file holds: probabilities, and where a judge was fitted its own probability.

    Input: float32, batch x 1 x height x width, grey 0..1. Outputs: ``mask``, batch x 1 x height x width
    probabilities of "lung"; ``chest_xray``, one probability a picture, read from the deepest
    features by a logistic regression (``weights`` and ``bias``).
    """

    def __init__(self, net: nn.Module, weights: Tensor | None = None, bias: float = 0.0) -> None:
        super().__init__()
        self.net = net
        self.judge: nn.Linear | None = None
        if weights is not None:
            self.judge = nn.Linear(len(weights), 1)
            with torch.no_grad():
                self.judge.weight.copy_(weights[None])
                self.judge.bias.fill_(bias)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features, skipped = self.net.bottom(x)  # type: ignore[operator]
        mask = torch.sigmoid(self.net.rebuild(features, skipped))  # type: ignore[operator]
        if self.judge is None:
            return mask
        return mask, torch.sigmoid(self.judge(pooled(features))[:, 0])
