"""A TensorFlow graph on its way to ONNX: values that know how their axes lie, and the nodes written so far.

TensorFlow.js keeps channels last (NHWC), ONNX's convolutions take them first (NCHW). A value made by a convolution
stays channels-first for as long as what uses it can work on it so; it is turned back only where the order of its
numbers shows (reshape, gather, an output), and no value is turned twice.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sightline.errors import ModelError

# Where the axes of NHWC lie in NCHW.
SPATIAL_AXIS = {0: 0, 1: 2, 2: 3, 3: 1, -1: 1, -2: 3, -3: 2, -4: 0}


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the graph by its ONNX name. `spatial`: it has four axes and they lie NCHW, not as TensorFlow has
    them. `constant` holds the numbers (in TensorFlow's order) of one that is known before the graph runs."""

    name: str
    spatial: bool = False
    constant: npt.NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the TensorFlow graph: inputs are `name` or `name:output`."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def integer(self, name: str, default: int = 0) -> int:
        return int(self._member(name, "i", default))

    def number(self, name: str, default: float = 0.0) -> float:
        return float(self._member(name, "f", default))

    def flag(self, name: str) -> bool:
        return bool(self._member(name, "b", False))

    def text(self, name: str) -> str:
        return base64.b64decode(self._member(name, "s", "")).decode()

    def type(self, name: str) -> str:
        return str(self._member(name, "type", ""))

    def integers(self, name: str) -> list[int]:
        return [int(i) for i in self._member(name, "list", {}).get("i", ())]

    def texts(self, name: str) -> list[str]:
        return [base64.b64decode(s).decode() for s in self._member(name, "list", {}).get("s", ())]

    def refuse(self, why: str) -> ModelError:
        """The error for a node that is of a known op, and asks of it what cannot be converted."""
        return ModelError(f"the node {self.name} ({self.op}) cannot be converted: {why}")

    def _member(self, name: str, kind: str, default: Any) -> Any:
        return self.attributes.get(name, {}).get(kind, default)


class Writer:
    """The ONNX nodes and constants written so far."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], TensorProto] = {}
        self._turned: dict[str, str] = {}
        self._taken = 0

    def node(self, kind: str, inputs: Sequence[str], *, spatial: bool = False, **attributes: Any) -> Value:
        """Write a node with one output."""
        return self.many(kind, inputs, 1, spatial=spatial, **attributes)[0]

    def many(
        self, kind: str, inputs: Sequence[str], outputs: int, *, spatial: bool = False, **attributes: Any
    ) -> list[Value]:
        """Write a node with so many outputs."""
        self._taken += 1
        stem = f"{kind}#{self._taken}"  # no name of TensorFlow's has this sign: inputs and outputs keep theirs
        names = [stem if index == 0 else f"{stem}#{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=stem, **attributes))
        return [Value(name, spatial) for name in names]

    def constant(self, numbers: npt.NDArray[Any]) -> str:
        """The name of a constant; equal ones are kept once."""
        key = (numbers.dtype.str, numbers.shape, numbers.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(numbers, f"constant#{len(self.constants)}")
        return str(self.constants[key].name)

    def plain(self, value: Value) -> str:
        """The name of the value as TensorFlow has it."""
        if value.constant is not None:
            return self.constant(value.constant)
        return self._turn(value.name, (0, 2, 3, 1)) if value.spatial else value.name

    def spatial(self, value: Value) -> str:
        """The name of the value (four axes) as NCHW."""
        if value.constant is not None:
            return self.constant(channels_first(value.constant))
        return value.name if value.spatial else self._turn(value.name, (0, 3, 1, 2))

    def _turn(self, name: str, order: tuple[int, ...]) -> str:
        if name not in self._turned:
            turned = self.node("Transpose", [name], perm=order).name
            self._turned[name], self._turned[turned] = turned, name
        return self._turned[name]


def channels_first(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A constant that broadcasts against NHWC, so that it does against NCHW. One number stays one number."""
    if numbers.ndim == 0:
        return numbers
    return numbers.reshape((1,) * (4 - numbers.ndim) + numbers.shape).transpose(0, 3, 1, 2)
