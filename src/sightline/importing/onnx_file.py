"""ONNX files: read with their weights in one piece, run as they are for comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from sightline.engines.base import ones_like
from sightline.engines.onnx import OnnxEngine
from sightline.errors import EngineError, ModelError
from sightline.settings import Settings

from .graph import fix_batch, float_ends, tensors_of
from .kinds import LARGEST
from .reasons import reason
from .source import Source, batched

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


def read_onnx(path: Path, scratch: Path) -> Source:
    """The model; weights beside it (`external data`) are read where their names stay in the file's own folder.

    Raises `ModelError`.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        _check_external(model, path)
        onnx.load_external_data_for_model(model, str(path.parent))
        if model.ByteSize() > LARGEST:
            raise ModelError(f"{path.name} and its weights have more than {LARGEST:,} bytes")
        onnx.checker.check_model(model)
    except ModelError:
        raise
    except Exception as error:  # protobuf, the checker and the file system, each with its own
        raise ModelError(f"{path.name} is no ONNX model: {reason(error)}") from None
    foreign = {item.domain for item in model.opset_import} - set(_DOMAINS) - {item.domain for item in model.functions}
    if foreign:
        raise ModelError(
            f"{path.name} uses operators of {', '.join(sorted(foreign))}, which ONNX Runtime does not have"
        )
    # An initializer that is listed as an input too (IR version 3) is a weight, not a question.
    weights = {item.name for item in model.graph.initializer}
    questions = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(questions)
    float_ends(model)
    whole = scratch / "source.onnx"
    onnx.save(model, whole)
    engine = _open(whole)
    first = engine.inputs[0].shape[0] if engine.inputs and engine.inputs[0].shape else None
    if first is None and not _takes_two(engine):
        # An export may call its batch free and still have the size that it was traced with inside.
        first = 1
        fix_batch(model, 1)
    return Source("ONNX", engine.inputs, batched(engine.run, first), model)


def _open(path: Path) -> OnnxEngine:
    try:
        return OnnxEngine(path, Settings(graph_level="basic"))
    except EngineError as error:
        raise ModelError(str(error)) from None


def _takes_two(engine: OnnxEngine) -> bool:
    if any(len(tensor.shape) < 2 or None in tensor.shape[1:] for tensor in engine.inputs):
        return True  # not to be tried here; what the task needs of the input is said later
    try:
        engine.run(*(np.repeat(ones_like(tensor), 2, axis=0) for tensor in engine.inputs))
    except EngineError:
        return False
    return True


def _check_external(model: onnx.ModelProto, path: Path) -> None:
    for tensor in tensors_of(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        name = next((item.value for item in tensor.external_data if item.key == "location"), "")
        beside = path.parent / name
        if Path(name).name != name or beside.is_symlink() or not beside.is_file():
            raise ModelError(f"{path.name} keeps weights in {name!r}, which is not a file beside it")
        if beside.stat().st_size > LARGEST:
            raise ModelError(f"{name} has more than {LARGEST:,} bytes")
