"""Every head sees features of like size: the same steps in NumPy and as nodes of a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .nodes import Nodes
from .trunk import VECTOR, Vectors

SCALED, UNIT = "sightline/scaled", "sightline/unit"


@dataclass(frozen=True, slots=True)
class Scaling:
    """Features less their mean, over their deviation (D numbers each); divided by the root of D, so that what is far
    does not depend on how many there are."""

    mean: npt.NDArray[np.float32]
    factor: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors) -> Scaling:
        """The scaling of N x D vectors."""
        deviation = vectors.std(axis=0)
        # A feature that never changed in these pictures says nothing; divided by its noise it would say everything.
        steady = deviation < 1e-3 * max(float(deviation.mean()), 1e-12)
        factor = np.where(steady, 0.0, 1 / np.where(steady, 1.0, deviation)) / np.sqrt(vectors.shape[1])
        return cls(vectors.mean(axis=0).astype(np.float32), factor.astype(np.float32))

    def scaled(self, vectors: Vectors) -> Vectors:
        """N x D vectors, scaled."""
        return np.asarray((vectors - self.mean) * self.factor, np.float32)

    def write(self, nodes: Nodes) -> None:
        """`VECTOR` to `SCALED` and `UNIT`."""
        nodes.add("Sub", [VECTOR, nodes.constant("mean", self.mean)], "sightline/centred")
        nodes.add("Mul", ["sightline/centred", nodes.constant("factor", self.factor)], SCALED)
        nodes.add("LpNormalization", [SCALED], UNIT, axis=1, p=2)


def unit(scaled: Vectors) -> Vectors:
    """N x D scaled features, each of length 1."""
    return np.asarray(scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12), np.float32)
