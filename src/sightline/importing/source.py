"""A model as its own framework runs it, beside the graph that it was converted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.engines.base import Array, Tensor
from sightline.errors import ModelError

Run = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """`run` is the framework's own answer: one array an input in, every output out, batch first.

    `inputs` are what `run` takes; None stands for a free dimension. `model` is the ONNX graph (`onnx.ModelProto`) made
    from it, None where the file is kept as it is. `wants_bytes`: the network scales pixels of 0..255 by itself.
    """

    format: str
    inputs: tuple[Tensor, ...]
    run: Run
    model: Any
    wants_bytes: bool = False
    notes: tuple[str, ...] = ()


def batched(run: Run, size: int | None) -> Run:
    """`run` for any number of items, where the network itself takes exactly `size` at a time (None: any number)."""
    if size is None:
        return run

    def run_in_parts(*arrays: Array) -> tuple[Array, ...]:
        count = len(arrays[0])
        rows = []
        for start in range(0, count, size):
            part = [array[start : start + size] for array in arrays]
            missing = size - len(part[0])
            if missing:
                part = [np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for array in part]
            outputs = run(*part)
            for output in outputs:
                if output.ndim == 0 or len(output) != size:
                    raise ModelError(f"an output of shape {output.shape} has no row for each of {size} pictures")
            rows.append([output[: size - missing] for output in outputs])
        return tuple(np.concatenate(column) for column in zip(*rows, strict=True))

    return run_in_parts
