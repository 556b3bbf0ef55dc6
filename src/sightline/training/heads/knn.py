"""k nearest neighbours whose votes are weighed by likeness.

A picture's neighbours are the `k` taught ones most like it (cosine of scaled features); each votes for its label with
exp(likeness / temperature), and one neighbour more, as like as the k-th, votes for every label alike: without it a
picture beside three equal ones would be certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .nodes import Nodes
from .outofsample import Judged, Rows, negative_log_likelihood
from .scaling import Scaling, unit
from .trunk import Vectors

KS = (1, 3, 5, 10, 20)
TEMPERATURES = tuple(float(value) for value in np.geomspace(0.02, 1.0, 16))
PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """`taught`: M x D of length 1; `labels`: M indices of `count` labels."""

    taught: Vectors
    labels: npt.NDArray[np.int64]
    count: int
    k: int
    temperature: float

    def probabilities(self, scaled: Vectors, likeness: Vectors) -> Rows:
        """N x `count` of N x M likenesses to those taught; the features themselves are not needed."""
        values, places = nearest(likeness, self.k)
        return votes(values, self.labels[places], self.count, self.temperature)

    def write(self, nodes: Nodes, likeness: str) -> None:
        """`likeness` (N x M) to `PROBABILITIES`."""
        one_hot = np.eye(self.count, dtype=np.float32)[self.labels]
        nodes.add("TopK", [likeness, nodes.constant("k", [self.k])], "sightline/best", "sightline/places", axis=1)
        first = nodes.add("Slice", ["sightline/best", *_range(nodes, "first", 0, 1)], "sightline/first")
        last = nodes.add("Slice", ["sightline/best", *_range(nodes, "last", self.k - 1, self.k)], "sightline/last")
        heat = nodes.constant("temperature", np.float32(self.temperature))

        def weigh(name: str, values: str) -> str:
            away = nodes.add("Sub", [values, first], f"sightline/{name}/away")
            return nodes.add("Exp", [nodes.add("Div", [away, heat], f"sightline/{name}/heat")], f"sightline/{name}")

        near = nodes.add("GreaterOrEqual", [likeness, last], "sightline/near")
        zero = nodes.constant("zero", np.float32(0))
        weights = nodes.add("Where", [near, weigh("weights", likeness), zero], "sightline/kept")
        spare = weigh("spare", last)
        votes = nodes.add("MatMul", [weights, nodes.constant("labels", one_hot)], "sightline/votes")
        share = nodes.add("Div", [spare, nodes.constant("count", np.float32(self.count))], "sightline/share")
        above = nodes.add("Add", [votes, share], "sightline/above")
        ones = nodes.constant("ones", np.ones((len(self.labels), 1), np.float32))
        below = nodes.add("Add", [nodes.add("MatMul", [weights, ones], "sightline/all"), spare], "sightline/below")
        nodes.add("Div", [above, below], PROBABILITIES)


def _range(nodes: Nodes, name: str, start: int, end: int) -> list[str]:
    return [nodes.constant(f"{name}/{part}", [value]) for part, value in (("start", start), ("end", end), ("axis", 1))]


def nearest(likeness: Vectors, k: int) -> tuple[Vectors, npt.NDArray[np.intp]]:
    """The `k` largest numbers of each row (N x k, falling), and where they are."""
    places = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(likeness, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)


def votes(values: Vectors, labels: npt.NDArray[np.int64], count: int, temperature: float) -> Rows:
    """The probabilities (N x `count`) that neighbours of these likenesses (N x k, falling) and labels make."""
    weights = np.exp((values - values[:, :1]) / temperature)
    spare = weights[:, -1:]
    cast = np.zeros((len(values), count), np.float64)
    np.add.at(cast, (np.arange(len(values))[:, None], labels), weights)
    return np.asarray((cast + spare / count) / (weights.sum(axis=1, keepdims=True) + spare), np.float32)


def fit(vectors: Vectors, scaling: Scaling, labels: npt.NDArray[np.int64], count: int) -> tuple[Neighbours, Judged]:
    """The number of neighbours and the temperature under which each picture is best told from all the others, and what
    they then say of it."""
    taught = unit(scaling.scaled(vectors))
    likeness = taught @ taught.T
    np.fill_diagonal(likeness, -np.inf)
    ks = [k for k in KS if k < len(labels)]
    values, places = nearest(likeness, ks[-1])
    tried = []
    for k in ks:
        for temperature in TEMPERATURES:
            rows = votes(values[:, :k], labels[places[:, :k]], count, temperature)
            tried.append((negative_log_likelihood(rows, labels), k, temperature, rows))
    _, k, temperature, rows = min(tried, key=lambda entry: entry[0])
    return Neighbours(taught, labels, count, k, temperature), Judged(rows, "each picture left out once")
