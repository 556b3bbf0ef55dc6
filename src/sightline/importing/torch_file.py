"""PyTorch files: TorchScript (`torch.jit`), and modules of the user's own code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.engines.base import Array, Tensor
from sightline.errors import InvalidOption, ModelError

from .kinds import open_archive, read_member
from .reasons import reason
from .source import Source
from .torch_graph import any_batch, script_to_onnx

_FLOAT = np.dtype(np.float32)
# TorchScript is a language of tensor operations; these few of them touch files. `__setstate__` may call them
# while the file is loaded, so the text is searched before.
_TOUCHES_FILES = re.compile(rb"\b(from_file|torch\.save|torch\.load|_load_from_file|open)\s*\(")


def read_script(path: Path, shape: tuple[int, ...] | None) -> Source:
    """A TorchScript archive. `shape` is that of one item, which the file does not know.

    Raises `ModelError`, and `InvalidOption` without a shape.
    """
    archive = open_archive(path)
    for name in archive.namelist():
        if name.endswith(".py") and _TOUCHES_FILES.search(read_member(archive, name)):
            raise ModelError(f"{path.name}: its code reads or writes files; it is not loaded")
    try:
        module = torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:
        raise ModelError(f"PyTorch cannot load {path.name}: {reason(error)}") from None
    asked = [argument for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    inputs = _inputs(shape, max(1, len(asked)))
    examples = tuple(torch.rand(2, *tensor.shape[1:]) for tensor in inputs)  # type: ignore[arg-type]
    graph = script_to_onnx(module, examples, tuple(tensor.name for tensor in inputs))
    return Source("TorchScript", inputs, _runner(module), graph)


def as_source(module: Any, format: str, shape: tuple[int, ...] | None) -> Source:
    """A module of the user's own code. `shape` is that of one item. Raises `ModelError`, `InvalidOption`."""
    module = module.float().eval()
    inputs = _inputs(shape, 1)
    example = torch.rand(2, *inputs[0].shape[1:])  # type: ignore[arg-type]
    graph = any_batch(module, example)
    return Source(format, inputs, _runner(module), graph)


def _inputs(shape: tuple[int, ...] | None, count: int) -> tuple[Tensor, ...]:
    if shape is None:
        raise InvalidOption(
            "the file does not say how large its pictures are: give --card with a table [input], its width, height, "
            "and colour (L for grey)"
        )
    return tuple(Tensor(f"input_{number}", (None, *shape), _FLOAT) for number in range(count))


def _runner(module: Any) -> Any:
    def run(*arrays: Array) -> tuple[Array, ...]:
        with torch.inference_mode():
            try:
                answer = module(*map(torch.from_numpy, arrays))
            except Exception as error:
                raise ModelError(f"the network cannot be run: {reason(error)}") from None
        return tuple(output.numpy() for output in torch.utils._pytree.tree_leaves(answer))

    return run
