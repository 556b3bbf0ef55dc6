"""PyTorch to ONNX: one place that calls the exporters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch

from sightline.errors import ModelError

from .reasons import reason


def any_batch(module: Any, examples: Any) -> onnx.ModelProto:
    """The graph of a module whose only argument is `examples`: a tensor or a list of tensors, of two items each.

    The batch is free, unless the code asks for its size in a way that cannot be traced: then it is 1, and zeros made
    for one item spread over more. Raises `ModelError` with the exporter's reason.
    """
    free = (
        [{0: torch.export.Dim("batch")}] * len(examples)
        if isinstance(examples, list)
        else {0: torch.export.Dim("batch")}
    )
    graph = to_onnx(module, (examples,), (free,))
    if all(value.type.tensor_type.shape.dim[0].dim_param for value in graph.graph.input):
        return graph
    first = [example[:1] for example in examples] if isinstance(examples, list) else examples[:1]
    return to_onnx(module, (first,), None)


def to_onnx(module: Any, examples: tuple[Any, ...], dynamic: Any) -> onnx.ModelProto:
    """The graph of a module (or exported program) by way of `torch.export`; `dynamic` names the free dimensions.

    Raises `ModelError` with the exporter's reason.
    """
    try:
        program = torch.onnx.export(module, examples, dynamo=True, dynamic_shapes=dynamic, verbose=False)
        if program is None:  # pragma: no cover - with dynamo=True a program always comes back
            raise RuntimeError("the exporter returned no program")
        program.optimize()
        graph: onnx.ModelProto = program.model_proto
    except Exception as error:  # the exporter raises whatever the traced code raises
        raise ModelError(f"PyTorch cannot convert the network to ONNX: {_cause(error)}") from None
    return graph


def script_to_onnx(module: Any, examples: tuple[Any, ...], names: tuple[str, ...]) -> onnx.ModelProto:
    """The graph of a TorchScript module, which only the older exporter reads; the first axis is free.

    Raises `ModelError` with the exporter's reason.
    """
    axes = {name: {0: "batch"} for name in names}
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "script.onnx"
        try:
            torch.onnx.export(module, examples, written, dynamo=False, input_names=list(names), dynamic_axes=axes)
        except Exception as error:
            raise ModelError(f"PyTorch cannot convert the network to ONNX: {_cause(error)}") from None
        return onnx.load(written)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {reason(error)}"
