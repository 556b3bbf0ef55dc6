"""Figures of merit that training needs besides those of `sightline.evaluation`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["calibration_error", "confusion", "fit_temperature", "soft_dice"]


def soft_dice(found: Tensor, true: Tensor) -> Tensor:
    """Dice of each pair of masks (batch x ...), 1 where both are empty."""
    found, true = found.flatten(1).float(), true.flatten(1).float()
    both = found.sum(1) + true.sum(1)
    return torch.where(both > 0, 2 * (found * true).sum(1) / both.clamp(min=1), torch.ones_like(both))


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts, classes x classes: rows the true class, columns the predicted one."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by so that probabilities mean what they say (Guo et al. 2017)."""
    log_t = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], lr=0.1, max_iter=100)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(log_t.detach().exp())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over equal bins."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (places == b).mean() * abs(right[places == b].mean() - confidence[places == b].mean())
        for b in range(bins)
        if (places == b).any()
    ]
    return float(sum(gaps))
