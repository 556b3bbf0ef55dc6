"""Tensors as the protocol carries them, one value and one direction each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_ITEMS = 64
"""Pictures, or rows of a model's input, that one request may carry."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor. Numbers are an array of `shape`; elements of type BYTES are a flat tuple in row-major order, each
    text where it came or goes as text (in JSON), else bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: npt.NDArray[Any] | tuple[bytes | str, ...]

    @property
    def elements(self) -> tuple[Any, ...]:
        """Every element as a plain Python value, in row-major order."""
        return tuple(self.data.reshape(-1).tolist()) if isinstance(self.data, np.ndarray) else self.data


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that a request asks for, and whether as a binary tensor."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """What an inference request carried. `outputs` is empty where it named none: then all usual ones, binary or not as
    `binary` says."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Wanted, ...] = ()
    id: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    binary: bool = False
