"""Whether the stored model answers as the file's own framework does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.engines.base import Array
from sightline.errors import ModelError

from .fits import Fit
from .probes import Batch
from .request import Parity

TOLERANCE = 1e-4
"""The largest difference allowed, times the largest number answered where that is above 1."""
# Networks that answer a distance add small numbers under its root: 3e-4 at distance 0.
DISTANCE_TOLERANCE = 1e-3


def compare(fit: Fit, architecture: Any, random: Batch, real: Batch) -> Parity:
    """The differences over both sets of pictures, each asked one by one and all at once.

    Raises `ModelError` where the largest exceeds the tolerance, or an answer is no number.
    """
    _check_batch(architecture, random)
    first, second = (_difference(fit, architecture, pictures) for pictures in (random, real))
    tolerance = (DISTANCE_TOLERANCE if fit.relations else TOLERANCE) * max(1.0, first.peak, second.peak)
    spread = max(first.spread, second.spread)
    found = Parity(len(random), first.largest, len(real), second.largest, tolerance, spread)
    if not found.largest <= tolerance:
        raise ModelError(
            f"the converted model answers otherwise than the file: the largest difference is {found.largest:.2g}, and "
            f"{tolerance:.2g} is allowed"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Difference:
    """The largest difference; the largest number of the reference, and the range of any over the pictures."""

    largest: float
    peak: float
    spread: float


def _difference(fit: Fit, architecture: Any, pictures: Batch) -> _Difference:
    wanted = fit.reference(architecture.prepare(pictures))
    asked = [fit.answer(architecture, pictures)]
    if not fit.relations:
        alone = [fit.answer(architecture, pictures[index : index + 1]) for index in range(min(3, len(pictures)))]
        asked.append([np.concatenate(rows) for rows in zip(*alone, strict=True)])
    peak = max(float(np.abs(theirs).max()) for theirs in wanted)
    spread = max(float(np.ptp(theirs, axis=0).max()) for theirs in wanted)
    largest = 0.0
    for answers in asked:
        for ours, theirs in zip(answers, wanted, strict=True):
            largest = max(largest, _largest(ours, theirs[: len(ours)]))
    return _Difference(largest, peak, spread)


def _check_batch(architecture: Any, pictures: Batch) -> None:
    """Raise `ModelError` unless the engine, where it takes any number, answers several pictures as it answers each."""
    engine = architecture.engine
    if engine.inputs[0].shape[0] is not None:
        return
    prepared = architecture.prepare(pictures[:3])
    together = engine.run(prepared)
    alone = [engine.run(prepared[index : index + 1]) for index in range(len(prepared))]
    for output, rows in zip(together, zip(*alone, strict=True), strict=True):
        stacked = np.concatenate(rows)
        found = _largest(output, stacked)
        if not found <= TOLERANCE * max(1.0, float(np.abs(stacked).max())):
            raise ModelError("the pictures of a batch change each other's answers")


def _largest(ours: Array, theirs: Array) -> float:
    if ours.shape != theirs.shape:
        raise ModelError(f"the converted model answers {ours.shape[1:]} where the file answers {theirs.shape[1:]}")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ModelError("the network answers with numbers that are not finite")
    return float(np.abs(np.asarray(ours, np.float64) - theirs).max())
