"""From labelled pairs to a threshold whose false-match rate is known, and to what similarity means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sightline.collections.base import Calibration
from sightline.errors import InvalidOption

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ANCHOR = 80.0
"""The similarity that calibration puts at the threshold: Rekognition's clients ask for it unless they say otherwise."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What labelled pairs showed. Rates are shares of pairs; intervals are Clopper and Pearson's, at 95%."""

    calibration: Calibration
    threshold: float
    """The distance at similarity 80; pairs nearer than it count as one person."""
    same: int
    """Pairs of one person."""
    different: int
    """Pairs of two."""
    false_match_rate: float
    false_match_interval: tuple[float, float]
    true_match_rate: float
    true_match_interval: tuple[float, float]


def calibrate(distances: Floats, same: Bools, false_match_rate: float, source: str) -> Measured:
    """The calibration with which at most `false_match_rate` of the pairs of two people have a similarity of 80 or more.

    `distances` (N) and `same` (N) are the labelled pairs. The slope is Platt's (1999), fitted with his targets as Lin,
    Lin and Weng (2007) do it, so that pairs told apart without error give a finite slope; the middle is where the
    threshold wants it. The intervals take pairs as independent, which those that share a face are not: have many people
    rather than many pairs of few. Raises `InvalidOption` for pairs that cannot show the rate: without any of one
    person, fewer than 1 / rate of two, or not told apart by distance at all.
    """
    if not 0 < false_match_rate < 1:
        raise InvalidOption("a false-match rate lies between 0 and 1")
    if distances.shape != same.shape or not np.isfinite(distances).all():
        raise InvalidOption("each pair has one finite distance and one label")
    others = np.sort(distances[~same])
    needed = math.ceil(1 / false_match_rate - 1e-9)
    if len(others) < needed or not same.any():
        raise InvalidOption(
            f"a false-match rate of {false_match_rate:g} takes at least {needed} pairs of two people and one of one; "
            f"there are {len(others)} and {int(same.sum())}"
        )
    allowed = int(false_match_rate * len(others) + 1e-9)
    threshold = _below(others, allowed)
    _, slope = fit(distances, same)
    if slope <= 0 or threshold <= 0:
        raise InvalidOption("in these pairs the faces of one person do not lie nearer than those of two")
    accepted = int((others <= threshold).sum())
    found = int((distances[same] <= threshold).sum())
    interval = clopper_pearson(accepted, len(others))
    middle = threshold + math.log(ANCHOR / (100 - ANCHOR)) / slope
    return Measured(
        Calibration(
            middle,
            slope,
            source,
            false_match_rate,
            interval,
            len(distances),
            # Two faces lie twice as far apart, in square, as each from the mean of all.
            spread=float(np.square(distances[same]).mean() / 2),
        ),
        threshold,
        int(same.sum()),
        len(others),
        accepted / len(others),
        interval,
        found / int(same.sum()),
        clopper_pearson(found, int(same.sum())),
    )


def fit(distances: Floats, same: Bools) -> tuple[float, float]:
    """Platt's curve 1 / (1 + exp(slope * (distance - middle))) of most likelihood: middle, slope."""
    positive, negative = int(same.sum()), int((~same).sum())
    target = np.where(same, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.stack([np.ones_like(distances), distances], axis=1)
    weights = np.array([math.log((positive + 1) / (negative + 1)), 0.0])

    def loss(at: Floats) -> float:
        score = design @ at
        return float((np.logaddexp(0, score) - target * score).sum())

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (target - p))
        share, before = 1.0, loss(weights)
        while loss(weights + share * step) > before and share > 1e-6:
            share /= 2
        weights = weights + share * step
        if np.abs(share * step).max() < 1e-9 * (1 + np.abs(weights).max()):
            break
    return float(-weights[0] / weights[1]) if weights[1] else 0.0, float(-weights[1])


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact confidence interval of a share (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1 - _at_most(hits - 1, trials, p), tail)
    high = 1.0 if hits == trials else _solve(lambda p: -_at_most(hits, trials, p), -tail)
    return low, high


def _below(others: Floats, allowed: int) -> float:
    """The threshold that at most `allowed` of these sorted distances lie at or below: in the middle of the gap."""
    first = others[min(allowed, len(others) - 1)]
    nearer = others[others < first]
    return float((nearer[-1] + first) / 2 if len(nearer) else np.nextafter(first, 0))


def _at_most(hits: int, trials: int, p: float) -> float:
    """The chance of at most `hits` of so many independent trials."""
    if not 0 < p < 1:
        return 1.0 if p <= 0 or hits >= trials else 0.0
    k = np.arange(hits + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((trials - k[1:] + 1) / k[1:]))])
    terms = logs + k * math.log(p) + (trials - k) * math.log1p(-p)
    top = float(terms.max())
    return min(1.0, math.exp(top) * float(np.exp(terms - top).sum()))


def _solve(rising: Callable[[float], float], value: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2
