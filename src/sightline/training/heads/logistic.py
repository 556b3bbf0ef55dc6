"""Multinomial logistic regression with a quadratic penalty, by L-BFGS (Nocedal 1980)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .knn import PROBABILITIES
from .nodes import Nodes
from .outofsample import Judged, Rows, negative_log_likelihood
from .scaling import SCALED, Scaling
from .trunk import Vectors

Numbers = npt.NDArray[np.float64]
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
TEMPERATURES = tuple(float(value) for value in np.geomspace(0.2, 5.0, 41))
_ONE_BY_ONE = 60  # up to so many pictures each is left out alone; beyond, a tenth at a time


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Logits are features x `weights` + `bias`, over `temperature`; `weights` is D x labels."""

    weights: Numbers
    bias: Numbers
    penalty: float
    temperature: float

    def probabilities(self, scaled: Vectors, likeness: Vectors) -> Rows:
        """N x labels of N x D scaled features; the likenesses are not needed."""
        return softmax((scaled @ self.weights + self.bias) / self.temperature)

    def write(self, nodes: Nodes, likeness: str) -> None:
        """`SCALED` to `PROBABILITIES`; `likeness` is not needed."""
        matrix = nodes.constant("weights", self.weights / self.temperature)
        product = nodes.add("MatMul", [SCALED, matrix], "sightline/product")
        logits = nodes.add("Add", [product, nodes.constant("bias", self.bias / self.temperature)], "sightline/logits")
        nodes.add("Softmax", [logits], PROBABILITIES, axis=1)


def softmax(logits: npt.NDArray[np.floating]) -> Rows:
    """Each row's probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def fit(vectors: Vectors, scaling: Scaling, labels: npt.NDArray[np.int64], count: int) -> tuple[Logistic, Judged]:
    """The regression whose penalty and temperature suit pictures that it has not seen best, and what it says of
    those."""
    scaled = scaling.scaled(vectors).astype(np.float64)
    # The weights lie in the span of the pictures: with fewer pictures than features that is the smaller problem.
    _, _, basis = np.linalg.svd(scaled, full_matrices=False)
    small = scaled @ basis.T
    folds = _folds(labels)
    tried = []
    for penalty in PENALTIES:
        logits = np.zeros((len(labels), count))
        for fold in np.unique(folds):
            out = folds == fold
            weights, bias = solve(small[~out], labels[~out], count, penalty)
            logits[out] = small[out] @ weights + bias
        losses = [negative_log_likelihood(softmax(logits / t), labels) for t in TEMPERATURES]
        place = int(np.argmin(losses))
        tried.append((losses[place], penalty, TEMPERATURES[place], softmax(logits / TEMPERATURES[place])))
    _, penalty, temperature, rows = min(tried, key=lambda entry: entry[0])
    weights, bias = solve(small, labels, count, penalty)
    alone = len(labels) <= _ONE_BY_ONE
    how = "each picture left out once" if alone else "a tenth of the pictures left out at a time"
    return Logistic(basis.T @ weights, bias, penalty, temperature), Judged(rows, how)


def _folds(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which pictures are left out together: as many of each label as can be, and never all of one."""
    if len(labels) <= _ONE_BY_ONE:
        return np.arange(len(labels))
    places = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        places[labels == label] = np.arange((labels == label).sum())
    return places % 10


def solve(x: Numbers, labels: npt.NDArray[np.int64], count: int, penalty: float) -> tuple[Numbers, Numbers]:
    """Weights (D x count) and bias (count) that minimise the mean cross-entropy of N x D features, plus `penalty`
    times the sum of the squared weights."""
    truth = np.eye(count)[labels]

    def loss(flat: Numbers) -> tuple[float, Numbers]:
        weights, bias = flat[:-count].reshape(-1, count), flat[-count:]
        logits = x @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = (np.exp(logs) - truth) / len(x)
        gradient = np.concatenate([(x.T @ error + 2 * penalty * weights).ravel(), error.sum(axis=0)])
        return float(-(logs * truth).sum() / len(x) + penalty * (weights**2).sum()), gradient

    found = minimise(loss, np.zeros((x.shape[1] + 1) * count))
    return found[:-count].reshape(-1, count), found[-count:]


def minimise(
    function: Callable[[Numbers], tuple[float, Numbers]], start: Numbers, steps: int = 200, memory: int = 10
) -> Numbers:
    """Where a smooth convex function (its value and gradient) is least, by limited-memory BFGS with backtracking."""
    point = start
    value, gradient = function(point)
    pairs: list[tuple[Numbers, Numbers]] = []
    for _ in range(steps):
        if np.abs(gradient).max() < 1e-6:
            break
        direction = -_inverse_hessian(pairs, gradient)
        slope, length = float(direction @ gradient), 1.0
        while True:
            candidate = point + length * direction
            new_value, new_gradient = function(candidate)
            if new_value <= value + 1e-4 * length * slope:
                break
            length /= 2
            if length < 1e-10:
                return point
        pair = (candidate - point, new_gradient - gradient)
        if float(pair[0] @ pair[1]) > 1e-12:
            pairs = [*pairs[-memory + 1 :], pair]
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _inverse_hessian(pairs: list[tuple[Numbers, Numbers]], gradient: Numbers) -> Numbers:
    """The two-loop recursion."""
    out, shares = gradient.copy(), []
    for step, change in reversed(pairs):
        share = float(step @ out) / float(step @ change)
        shares.append(share)
        out -= share * change
    if pairs:
        step, change = pairs[-1]
        out *= float(step @ change) / float(change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        out += (share - float(change @ out) / float(step @ change)) * step
    return out
