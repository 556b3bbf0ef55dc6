"""How far a picture lies from everything that was taught, and from where on it is none of these.

The distance is (1 - cosine) x Euclidean, each to the nearest taught picture in scaled features: the cosine tells kinds
apart, the length notices what is larger or smaller in every feature than anything that was taught.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .nodes import Nodes
from .scaling import SCALED
from .trunk import Vectors

DISTANCE = "distance"

Distances = npt.NDArray[np.float32]
"""N numbers, 0 and more."""


@dataclass(frozen=True, slots=True)
class Limit:
    """From which distance on a picture is none of these. `strangers`: the share of the pictures of a label that are
    beyond it when that label is not taught, each label in turn; `rejected`: the share beyond it of those taught."""

    distance: float
    rejected: float
    strangers: float


def distances(scaled: Vectors, taught: Vectors, unseen: npt.NDArray[np.bool_] | None = None) -> Distances:
    """The distance of each of N x D scaled features to M x D taught ones; of those, the ones that `unseen` (N x M)
    marks are left out for that row."""
    lengths, others = (np.linalg.norm(rows, axis=1) for rows in (scaled, taught))
    product = scaled @ taught.T
    likeness = product / np.maximum(lengths[:, None] * others[None], 1e-12)
    square = lengths[:, None] ** 2 + others[None] ** 2 - 2 * product
    if unseen is not None:
        likeness, square = np.where(unseen, -np.inf, likeness), np.where(unseen, np.inf, square)
    return np.asarray((1 - likeness.max(axis=1)) * np.sqrt(np.maximum(square.min(axis=1), 0)), np.float32)


def limit(scaled: Vectors, labels: npt.NDArray[np.int64], keep: float = 0.95) -> Limit:
    """The distance to the nearest other picture within which `keep` of N x D pictures lie."""
    near = distances(scaled, scaled, np.eye(len(scaled), dtype=bool))
    # Rounded up: the card holds four digits.
    distance = float(np.ceil(np.quantile(near, keep, method="higher") * 1e4) / 1e4)
    far = distances(scaled, scaled, labels[:, None] == labels[None])
    return Limit(distance, float((near > distance).mean()), float((far > distance).mean()))


def write(nodes: Nodes, likeness: str, taught: Vectors) -> None:
    """`SCALED` and `likeness` (N x M cosines) to `DISTANCE` (N)."""
    lengths = np.linalg.norm(taught, axis=1)
    one, unit = nodes.constant("one", [1]), nodes.constant("sameness", np.float32(1))
    nodes.add("TopK", [likeness, one], "sightline/nearest", "sightline/nearest/place", axis=1)
    apart = nodes.add("Sub", [unit, "sightline/nearest"], "sightline/apart")
    squared = nodes.add("Mul", [SCALED, SCALED], "sightline/squared")
    ones = nodes.constant("features", np.ones((taught.shape[1], 1), np.float32))
    own = nodes.add("MatMul", [squared, ones], "sightline/own")
    scale = nodes.constant("doubles", -2 * lengths[None])
    length = nodes.add("Sqrt", [own], "sightline/length")
    product = nodes.add(
        "Mul", [nodes.add("Mul", [likeness, scale], "sightline/along"), length], "sightline/product/all"
    )
    both = nodes.add("Add", [product, nodes.constant("lengths", lengths[None] ** 2)], "sightline/both")
    square = nodes.add("Add", [both, own], "sightline/square")
    nodes.add("TopK", [square, one], "sightline/least", "sightline/least/place", axis=1, largest=0)
    euclidean = nodes.add("Sqrt", [nodes.add("Relu", ["sightline/least"], "sightline/positive")], "sightline/euclidean")
    nodes.add("Squeeze", [nodes.add("Mul", [apart, euclidean], "sightline/away"), one], DISTANCE)
