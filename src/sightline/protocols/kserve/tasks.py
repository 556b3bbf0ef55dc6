"""A task as a model of the protocol: a picture is an element of type BYTES, the answer the text of its JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import InvalidImage, InvalidOption, InvalidRequest, MissingInput, SightlineError
from sightline.images.decode import Source
from sightline.images.encode import encode
from sightline.protocols.kserve.datatypes import BYTES
from sightline.protocols.kserve.tensors import MOST_ITEMS, InferRequest, Tensor
from sightline.protocols.reply import dump
from sightline.serving.metrics import Metrics
from sightline.serving.runtime import Runtime
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import OptionField, question_fields

ANSWER, PICTURE = "answer", "picture"
_DATATYPES = {str: BYTES, int: "INT64", float: "FP64", bool: "BOOL"}
# Pictures of one request that are asked at once: enough to fill a batch, and no request takes the whole queue.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Write:
    """Finishes an answer in its worker: as the outputs `wanted`, the others empty."""

    wanted: frozenset[str]

    def __call__(self, task: Task[Any, Any], answer: Answer, pictures: Mapping[str, Source]) -> tuple[str, bytes]:
        text = dump(answer.to_dict()).decode() if ANSWER in self.wanted else ""
        drawn = encode(task.drawing(answer, pictures), "PNG") if PICTURE in self.wanted else b""
        return text, drawn


class TaskModel:
    """One served task.

    Every picture of the question is an input of N elements, and so is every option, as a tensor of N elements, of one
    that counts for all, or as a parameter of the request. The output `answer` is N texts, each the JSON that the native
    API answers; the output `picture`, given only where it is asked for, N PNG files with the answer drawn.
    """

    platform = "sightline_task"

    def __init__(self, name: str, runtime: Runtime, metrics: Metrics) -> None:
        self.name, self._runtime, self._metrics = name, runtime, metrics
        self._fields = question_fields(runtime.kind(name).Question)
        self._identities = runtime.identities(name)
        self.version = self._identities[0].version

    @property
    def metadata(self) -> dict[str, Any]:
        """`inputs` and `outputs` of the protocol's model metadata; an input that may be left out says so."""
        pictures = [_described(p.name, BYTES, required=p.required) for p in self._fields.pictures]
        options = [_described(o.name, _DATATYPES[o.kind], required=False) for o in self._fields.options]
        outputs = [_described(name, BYTES, required=True) for name in (ANSWER, PICTURE)]
        return {"inputs": [*pictures, *options], "outputs": outputs}

    async def infer(self, request: InferRequest) -> list[Tensor]:
        """Ask the task for each of the N pictures. One that cannot be answered fails the request, and is named."""
        wanted = {output.name for output in request.outputs} or {ANSWER}
        if not wanted <= {ANSWER, PICTURE}:
            raise InvalidOption(f"the outputs of {self.name} are {ANSWER} and {PICTURE}")
        pictures, options = self._pictures(request), self._options(request)
        shape = next(tensor.shape for tensor in request.inputs if tensor.name in pictures)
        count = len(next(iter(pictures.values())))
        for name, values in options.items():
            if len(values) not in (1, count):
                raise InvalidOption(f"{name} has {len(values)} elements for {count} pictures; one, or one each")
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(index: int) -> tuple[str, bytes]:
            chosen = {name: values[index if len(values) > 1 else 0] for name, values in options.items()}
            async with gate:
                try:
                    return await self._ask({name: given[index] for name, given in pictures.items()}, chosen, wanted)
                except SightlineError as error:
                    raise type(error)(f"item {index}: {error}") if count > 1 else error from None

        answers = await _all_or_first_error([ask(index) for index in range(count)])
        said = {ANSWER: tuple(text for text, _ in answers), PICTURE: tuple(drawn for _, drawn in answers)}
        return [Tensor(name, BYTES, shape, said[name]) for name in (ANSWER, PICTURE) if name in wanted]

    async def _ask(
        self, pictures: Mapping[str, bytes], options: Mapping[str, Any], wanted: set[str]
    ) -> tuple[str, bytes]:
        try:
            timings, finished = await self._runtime.ask(self.name, pictures, options, _Write(frozenset(wanted)))
        except SightlineError as error:
            self._metrics.failed(self.name, error.code)
            raise
        self._metrics.answered(self.name, timings, self._identities)
        return finished

    def _pictures(self, request: InferRequest) -> dict[str, tuple[bytes, ...]]:
        known = {picture.name for picture in self._fields.pictures}
        given = {tensor.name: _contents(tensor) for tensor in request.inputs if tensor.name in known}
        for picture in self._fields.pictures:
            if picture.required and picture.name not in given:
                raise MissingInput(f"{self.name} needs the picture {picture.name!r}: an input of datatype BYTES")
        if len({len(contents) for contents in given.values()}) > 1:
            raise InvalidRequest("the pictures of a question come in equal numbers")
        return given

    def _options(self, request: InferRequest) -> dict[str, tuple[Any, ...]]:
        """The typed values of each option given: as many as its tensor has, or one."""
        known = {option.name: option for option in self._fields.options}
        pictures = {picture.name for picture in self._fields.pictures}
        chosen: dict[str, tuple[Any, ...]] = {}
        for tensor in request.inputs:
            if tensor.name in known:
                if len(tensor.elements) > MOST_ITEMS:
                    raise InvalidOption(f"{tensor.name} has more than {MOST_ITEMS} elements")
                chosen[tensor.name] = tuple(_value(known[tensor.name], value) for value in tensor.elements)
            elif tensor.name not in pictures:
                offered = ", ".join((*(picture.name for picture in self._fields.pictures), *known))
                raise InvalidOption(f"{self.name} has no input {tensor.name[:60]!r}; it has {offered}")
        for name, value in self._fields.parse(request.parameters).items():
            if name in chosen:
                raise InvalidOption(f"the option {name!r} was given twice, as an input and as a parameter")
            chosen[name] = (value,)
        return chosen


def _described(name: str, datatype: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]} | ({} if required else {"optional": True})


def _contents(tensor: Tensor) -> tuple[bytes, ...]:
    """The files of pictures; where they came as text, that is their base64."""
    if isinstance(tensor.data, np.ndarray):
        raise InvalidRequest(f"the picture {tensor.name!r} has datatype BYTES: the bytes of its file")
    try:
        return tuple(
            element if isinstance(element, bytes) else base64.b64decode(element, validate=True)
            for element in tensor.data
        )
    except (binascii.Error, ValueError):
        raise InvalidImage(f"in JSON, the picture {tensor.name!r} is base64; as a binary tensor, its bytes") from None


def _value(option: OptionField, value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise InvalidOption(f"{option.name} is not UTF-8") from None
    return option.parse(value)


async def _all_or_first_error(asked: list[Any]) -> list[Any]:
    """What each gives, in order; where one fails, the others are dropped."""
    tasks = [asyncio.ensure_future(one) for one in asked]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
