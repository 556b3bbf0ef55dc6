"""The seam between networks and what runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sightline.errors import EngineError

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: its name, shape (None where it may vary) and NumPy dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Engine(Protocol):
    """Runs one weights file. `run` may be called from many threads at once."""

    @property
    def inputs(self) -> tuple[Tensor, ...]: ...

    @property
    def outputs(self) -> tuple[Tensor, ...]: ...

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        """The outputs, in the order of `outputs`, for one array an input, in the order of `inputs`.

        Raises `EngineError` for a wrong number, shape or dtype of arrays.
        """
        ...


def check_inputs(tensors: tuple[Tensor, ...], arrays: tuple[Array, ...]) -> None:
    """Raise `EngineError` unless `arrays` fit `tensors` in number, shape and dtype."""
    if len(arrays) != len(tensors):
        raise EngineError(f"the model takes {len(tensors)} inputs, not {len(arrays)}")
    for tensor, array in zip(tensors, arrays, strict=True):
        fits = len(array.shape) == len(tensor.shape) and all(
            want is None or want == got for want, got in zip(tensor.shape, array.shape, strict=True)
        )
        if not fits:
            raise EngineError(f"input {tensor.name} has shape {array.shape}; the model takes {tensor.shape}")
        if array.dtype != tensor.dtype:
            raise EngineError(f"input {tensor.name} holds {array.dtype}; the model takes {tensor.dtype}")


def ones_like(tensor: Tensor) -> Array:
    """An array that fits `tensor`, its free dimensions 1: for a warm-up."""
    return np.ones([1 if size is None else size for size in tensor.shape], tensor.dtype)
