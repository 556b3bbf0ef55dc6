"""ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort

from sightline.engines.base import Array, Tensor, check_inputs
from sightline.errors import EngineError, ProviderMissing
from sightline.settings import Settings

_LEVELS = {
    "off": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class OnnxEngine:
    """One ONNX Runtime session. Sessions are thread-safe and release the GIL while they run."""

    def __init__(self, path: Path, settings: Settings) -> None:
        missing = [name for name in settings.providers if name not in ort.get_available_providers()]
        if missing:
            # ONNX Runtime itself would warn and go on with the CPU.
            have = ", ".join(ort.get_available_providers())
            raise ProviderMissing(f"execution provider {', '.join(missing)} is absent; this ONNX Runtime has {have}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = settings.threads or os.cpu_count() or 1
        options.inter_op_num_threads = 1
        options.graph_optimization_level = _LEVELS[settings.graph_level]
        options.log_severity_level = 3
        # Idle threads that spin would take the cores from the other models of the process.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=list(settings.providers))
        except Exception as error:
            raise EngineError(f"ONNX Runtime cannot load {path.name}: {str(error).splitlines()[0][:200]}") from None
        self.inputs = tuple(map(_tensor, self._session.get_inputs()))
        self.outputs = tuple(map(_tensor, self._session.get_outputs()))
        self._output_names = [tensor.name for tensor in self.outputs]

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        check_inputs(self.inputs, arrays)
        feed = {tensor.name: array for tensor, array in zip(self.inputs, arrays, strict=True)}
        try:
            return tuple(self._session.run(self._output_names, feed))
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed: {str(error).splitlines()[0][:200]}") from None


def _tensor(node: ort.NodeArg) -> Tensor:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    if node.type not in _DTYPES:
        raise EngineError(f"tensor {node.name} is of type {node.type}, which is not supported")
    return Tensor(node.name, shape, np.dtype(_DTYPES[node.type]))
