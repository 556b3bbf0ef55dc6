"""An answer as a reply: which form the caller wants, its bytes and its headers.

Knows no web framework: the HTTP server and the Lambda handler share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sightline.errors import InvalidOption
from sightline.images.decode import Source
from sightline.images.encode import MEDIA_TYPES, encode
from sightline.protocols.accept import negotiate
from sightline.serving.errors import NotAcceptable
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import question_fields

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a reply, and the headers that go with it."""

    content: bytes
    headers: dict[str, str]


def dump(members: Any) -> bytes:
    """JSON in UTF-8. NaN and infinities become null."""
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def as_it_is(members: dict[str, Any]) -> dict[str, Any]:
    """The members of an answer, unchanged."""
    return members


def acceptable_type(accept: str | None, task: type[Task[Any, Any]]) -> str:
    """The media type that an `Accept` header likes best of those a task answers. Raises `NotAcceptable`."""
    offers = (*FORMATS, JSON) if task.answers_picture else (JSON, *FORMATS)
    media_type = negotiate(accept, offers)
    if media_type is None:
        raise NotAcceptable(f"{task.name} answers {', '.join(offers)}")
    return media_type


def check_types(task: type[Task[Any, Any]], options: Mapping[str, Any]) -> None:
    """Text stands for a number or a truth value in a form, not in JSON. Raises `InvalidOption`."""
    for option in question_fields(task.Question).options:
        if option.kind is not str and isinstance(options.get(option.name), str):
            raise InvalidOption(f"{option.name} is text, which is not a {option.json_type}")


def content(
    task: Task[Any, Any],
    answer: Answer,
    pictures: Mapping[str, Source],
    media_type: str,
    extend: Callable[[dict[str, Any]], dict[str, Any]] = as_it_is,
) -> bytes:
    """The answer as JSON (its members passed through `extend`) or as a drawn picture."""
    if media_type in FORMATS:
        return encode(task.drawing(answer, pictures), FORMATS[media_type])
    return dump(extend(answer.to_dict()))


def headers(answer: Answer, media_type: str) -> dict[str, str]:
    """What goes beside an answer: its times, and beside a picture, which has no room for members, the small ones."""
    timings = answer.timings.to_dict()
    made = {"Server-Timing": ", ".join(f"{name};dur={value}" for name, value in timings.items())}
    if media_type in MEDIA_TYPES.values():
        members = {**answer.caption(), "model": answer.models[0].to_dict(), "timings_ms": timings}
        made["X-Sightline-Answer"] = dump(members).decode()
    return made


@dataclass(frozen=True, slots=True)
class Render:
    """Finishes an answer in its worker: as JSON, its members passed through `extend` (a function of a module), or as a
    drawn picture."""

    media_type: str
    extend: Callable[[dict[str, Any]], dict[str, Any]] = as_it_is

    def __call__(self, task: Task[Any, Any], answer: Answer, pictures: Mapping[str, Source]) -> Reply:
        made = content(task, answer, pictures, self.media_type, self.extend)
        return Reply(made, headers(answer, self.media_type))
