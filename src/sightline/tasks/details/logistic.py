"""A fitted rule: measures in, a probability out."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Logistic:
    """The probability 1 / (1 + exp(-(weights . measures + bias)))."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, *measures: float) -> float:
        total = self.bias + sum(weight * value for weight, value in zip(self.weights, measures, strict=True))
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))
