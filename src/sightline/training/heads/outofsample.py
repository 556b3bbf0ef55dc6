"""What a head says of pictures that it was not taught."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
"""N x labels; each row sums to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The probabilities of each picture (N x labels) by a head that had not seen it; `how` says in words which."""

    rows: Rows
    how: str


def negative_log_likelihood(rows: Rows, labels: npt.NDArray[np.int64]) -> float:
    """The mean over pictures of minus the logarithm of the right label's probability."""
    return float(-np.log(np.maximum(rows[np.arange(len(labels)), labels], 1e-12)).mean())


def calibration_error(rows: Rows, labels: npt.NDArray[np.int64], bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017): the mean gap of confidence and accuracy over equal bins."""
    confidence, right = rows.max(axis=1), rows.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (places == place).mean() * abs(float(right[places == place].mean() - confidence[places == place].mean()))
        for place in np.unique(places)
    ]
    return float(sum(gaps))
