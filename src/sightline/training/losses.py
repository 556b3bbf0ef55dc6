"""Losses that more than one recipe uses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["mask_loss"]


def mask_loss(logits: Tensor, target: Tensor, edge: float = 0.0) -> Tensor:
    """Binary cross-entropy plus soft Dice (Milletari et al. 2016, arXiv 1606.04797).

    Both batch x 1 x height x width; ``target`` 0..1, shares of a pixel allowed. ``edge`` weighs
    pixels near a border of the target by 1 + ``edge``: that is where every mistake is made.
    """
    logits, target = logits.float(), target.float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if edge:
        local = F.avg_pool2d(target, 9, 1, 4, count_include_pad=False)
        entropy = entropy * (1 + edge * 4 * local * (1 - local))
    inside = torch.sigmoid(logits)
    overlap = (inside * target).sum((1, 2, 3))
    both = (inside * inside).sum((1, 2, 3)) + (target * target).sum((1, 2, 3))
    return entropy.mean() + (1 - (2 * overlap + 1) / (both + 1)).mean()
