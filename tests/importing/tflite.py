"""Small TFLite files, written with the schema that the LiteRT package brings."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def _tensor(name: str, shape: tuple[int, ...], buffer: int, kind: int = schema.TensorType.FLOAT32) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer, tensor.type = name, list(shape), buffer, kind
    return tensor


def _buffer(data: np.ndarray | None = None) -> Any:
    buffer = schema.BufferT()
    if data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(data, np.float32).tobytes(), np.uint8)
    return buffer


def _code(kind: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, kind, 1
    return code


def network(
    height: int, width: int, channels: int, weights: np.ndarray, *, kind: int = schema.TensorType.FLOAT32
) -> bytes:
    """One fully connected layer over all numbers of a picture (weights: outputs x inputs), then a logistic curve."""
    outputs = weights.shape[0]
    model = schema.ModelT()
    model.version = 3
    model.buffers = [_buffer(), _buffer(weights), _buffer(np.zeros(outputs))]
    operators = schema.BuiltinOperator
    model.operatorCodes = [_code(operators.FULLY_CONNECTED), _code(operators.LOGISTIC)]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("picture", (1, height, width, channels), 0, kind),
        _tensor("weights", weights.shape, 1),
        _tensor("bias", (outputs,), 2),
        _tensor("hidden", (1, outputs), 0),
        _tensor("answer", (1, outputs), 0),
    ]
    dense, curve = schema.OperatorT(), schema.OperatorT()
    dense.opcodeIndex, dense.inputs, dense.outputs = 0, [0, 1, 2], [3]
    dense.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    dense.builtinOptions = schema.FullyConnectedOptionsT()
    curve.opcodeIndex, curve.inputs, curve.outputs = 1, [3], [4]
    graph.operators = [dense, curve]
    graph.inputs, graph.outputs = [0], [4]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
