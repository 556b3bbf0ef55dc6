"""LiteRT (formerly TensorFlow Lite), with the XNNPACK delegate."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from sightline.engines.base import Array, Tensor, check_inputs
from sightline.errors import EngineError
from sightline.settings import Settings


class LiteRTEngine:
    """One TFLite file; a LiteRT interpreter is not thread-safe, so there is one a thread, made when first needed.

    A file whose every input and output is for one item takes any number: LiteRT is asked for each in turn.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise EngineError(f"cannot read {path.name}: {error.strerror}") from None
        self._name = path.name
        self._threads = settings.threads or os.cpu_count() or 1
        self._local = threading.local()
        interpreter = self._interpreter()
        self._input_details = interpreter.get_input_details()
        self._output_details = interpreter.get_output_details()
        inputs, outputs = (tuple(map(_tensor, kind)) for kind in (self._input_details, self._output_details))
        self._one_by_one = all(len(tensor.shape) > 1 and tensor.shape[0] == 1 for tensor in (*inputs, *outputs))
        if self._one_by_one:
            inputs, outputs = (tuple(map(_any_number, tensors)) for tensors in (inputs, outputs))
        self.inputs, self.outputs = inputs, outputs

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        check_inputs(self.inputs, arrays)
        if not self._one_by_one or len(arrays[0]) == 1:
            return self._run(arrays)
        rows = [self._run(tuple(array[i : i + 1] for array in arrays)) for i in range(len(arrays[0]))]
        return tuple(np.concatenate(column) for column in zip(*rows, strict=True))

    def _run(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        interpreter = self._interpreter()
        try:
            for detail, array in zip(self._input_details, arrays, strict=True):
                interpreter.set_tensor(detail["index"], array)
            interpreter.invoke()
            return tuple(interpreter.get_tensor(detail["index"]) for detail in self._output_details)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"LiteRT failed: {str(error).splitlines()[0][:200]}") from None

    def _interpreter(self) -> Interpreter:
        interpreter = getattr(self._local, "interpreter", None)
        if interpreter is None:
            try:
                interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
                interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise EngineError(f"LiteRT cannot load {self._name}: {str(error).splitlines()[0][:200]}") from None
            self._local.interpreter = interpreter
        return interpreter


def _any_number(tensor: Tensor) -> Tensor:
    return Tensor(tensor.name, (None, *tensor.shape[1:]), tensor.dtype)


def _tensor(detail: dict[str, Any]) -> Tensor:
    return Tensor(detail["name"], tuple(map(int, detail["shape"])), np.dtype(detail["dtype"]))
