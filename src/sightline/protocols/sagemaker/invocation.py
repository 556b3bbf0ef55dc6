"""One invocation: a picture in the body as it is, or a body of the native API; the attributes say which task."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sightline.errors import InvalidOption
from sightline.protocols.native import Native, wanted_type
from sightline.protocols.pictures import read_request
from sightline.protocols.reply import Render
from sightline.protocols.sagemaker.attributes import HEADER, LONGEST, Attributes
from sightline.protocols.wire import Wire
from sightline.tasks.base import Task
from sightline.tasks.question import question_fields

# What stands for bytes of no certain kind, besides image/*: SDKs send no type unless told one. A picture's format is
# found in its bytes.
_PICTURES = ("", "application/x-image", "application/octet-stream")
_ANSWER = "X-Sightline-Answer"


class Invoker:
    """Answers invocations."""

    def __init__(self, native: Native) -> None:
        self._native = native

    async def answer(self, request: Request, attributes: Attributes, task: type[Task[Any, Any]], name: str) -> Response:
        """Ask `task`, which the runtime serves as `name`. Raises what the native API raises."""
        media_type = wanted_type(request, task)
        chosen = question_fields(task.Question).parse(attributes.options)
        wire = await _read(request, task)
        for option in chosen:
            if option in wire.options:
                raise InvalidOption(f"the option {option!r} was given twice, in the body and in the custom attributes")
        wire = Wire(wire.pictures, {**wire.options, **chosen}, wire.typed)
        reply = await self._native.respond(request, task, wire, Render(media_type), served_as=name)
        said = reply.headers.get(_ANSWER, "")
        if said and said.isascii() and len(said) <= LONGEST:
            # SageMaker drops every other header of a reply.
            reply.headers[HEADER] = said
        return reply


async def _read(request: Request, task: type[Task[Any, Any]]) -> Wire:
    """Raises as `read_request`."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    pictures = question_fields(task.Question).pictures
    if kind.startswith("image/") or kind in _PICTURES:
        return Wire({pictures[0].name: await request.body()})
    return await read_request(request, {picture.name: picture.name for picture in pictures})
