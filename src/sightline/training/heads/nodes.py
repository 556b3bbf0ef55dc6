"""Nodes and constants that are added to a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper


class Nodes:
    """Adds to the graph of a model; names lie below `sightline/`, so that they meet none of the network's."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def add(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        """One node; gives the name of its first output."""
        self._graph.node.append(helper.make_node(kind, inputs, list(outputs), name=outputs[0], **attributes))
        return outputs[0]

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """Numbers of the graph: float32, or int64 where they are whole."""
        array = np.asarray(values)
        kind = np.int64 if array.dtype.kind in "iu" else np.float32
        full = f"sightline/{name}"
        exact = np.ascontiguousarray(array, kind).reshape(array.shape)  # which makes rows of single numbers
        self._graph.initializer.append(numpy_helper.from_array(exact, full))
        return full
