"""A model behind the served tasks as a model of the protocol: its engine's tensors as they are."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sightline.errors import InvalidOption, InvalidRequest, MissingInput, SightlineError
from sightline.protocols.kserve.datatypes import datatype_of
from sightline.protocols.kserve.tensors import MOST_ITEMS, InferRequest, Tensor
from sightline.serving.held import Held
from sightline.serving.metrics import Metrics
from sightline.serving.runtime import Runtime
from sightline.tasks.base import Timings

_PLATFORMS = {"onnx": "onnxruntime_onnx", "litert": "tensorflowlite_model"}


class RawModel:
    """One model that a served task holds: numbers in, numbers out, without the task's pictures and thresholds."""

    def __init__(self, held: Held, runtime: Runtime, metrics: Metrics) -> None:
        self._held, self._runtime, self._metrics = held, runtime, metrics
        self.name, self.version = held.card.name, held.card.version
        self.platform = _PLATFORMS.get(held.card.engine, held.card.engine)

    @property
    def metadata(self) -> dict[str, Any]:
        """`inputs` and `outputs` of the protocol's model metadata; -1 where a size may vary."""
        sides = (("inputs", self._held.engine.inputs), ("outputs", self._held.engine.outputs))
        return {
            side: [
                {
                    "name": tensor.name,
                    "datatype": datatype_of(tensor.dtype),
                    "shape": [-1 if size is None else size for size in tensor.shape],
                }
                for tensor in tensors
            ]
            for side, tensors in sides
        }

    async def infer(self, request: InferRequest) -> list[Tensor]:
        """Run the engine once on these tensors."""
        if request.parameters:
            raise InvalidOption(f"{self.name} takes no parameters; there are {', '.join(request.parameters)[:60]!r}")
        arrays = self._arrays(request)
        names = [tensor.name for tensor in self._held.engine.outputs]
        wanted = [output.name for output in request.outputs] or names
        if not set(wanted) <= set(names):
            raise InvalidOption(f"the outputs of {self.name} are {', '.join(names)}")
        arrived = time.perf_counter()

        def work() -> tuple[tuple[np.ndarray[Any, Any], ...], Timings]:
            begun = time.perf_counter()
            answers = self._held.run(*arrays)
            ended = time.perf_counter()
            queue, infer = (begun - arrived) * 1000, (ended - begun) * 1000
            return answers, Timings(queue=queue, infer=infer, total=queue + infer)

        label = f"model.{self.name}"
        try:
            answers, timings = await self._runtime.run(work)
        except SightlineError as error:
            self._metrics.failed(label, error.code)
            raise
        self._metrics.answered(label, timings)
        made = dict(zip(names, answers, strict=True))
        return [Tensor(name, datatype_of(made[name].dtype), made[name].shape, made[name]) for name in wanted]

    def _arrays(self, request: InferRequest) -> list[np.ndarray[Any, Any]]:
        """The inputs in the engine's order."""
        given = {tensor.name: tensor for tensor in request.inputs}
        inputs = self._held.engine.inputs
        known = ", ".join(tensor.name for tensor in inputs)
        for name in given:
            if name not in {tensor.name for tensor in inputs}:
                raise InvalidOption(f"{self.name} has no input {name[:60]!r}; it has {known}")
        arrays = []
        for wanted in inputs:
            if wanted.name not in given:
                raise MissingInput(f"{self.name} needs the input {wanted.name!r}; its inputs are {known}")
            data = given[wanted.name].data
            if not isinstance(data, np.ndarray):
                raise InvalidRequest(f"the input {wanted.name} is {datatype_of(wanted.dtype)}, not BYTES")
            if wanted.shape and wanted.shape[0] is None and len(data) > MOST_ITEMS:
                raise InvalidRequest(f"{wanted.name} has {len(data)} rows; one request carries at most {MOST_ITEMS}")
            arrays.append(data)
        return arrays
