"""The function that Lambda calls: any of its events in, the answer of a task out."""

from __future__ import annotations

import json
import logging
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from typing import Any

from sightline.errors import InvalidImage, InvalidRequest, NotFound, SightlineError
from sightline.images.decode import sniff
from sightline.models.store import Store
from sightline.protocols import reply
from sightline.protocols.accept import negotiate
from sightline.protocols.access import check_headers
from sightline.protocols.classic_names import FILE, THREE, add_result
from sightline.protocols.lambda_.album import ObjectStore, Results, answer_records
from sightline.protocols.lambda_.events import REPLY_BYTES, Event, Kind, Request, kind_of, read_request
from sightline.protocols.objects import Objects
from sightline.protocols.wire import Wire, fetch, read_json, read_members, read_parts
from sightline.serving.errors import STATUS, AnswerTooLarge, MethodNotAllowed, UnsupportedMediaType, body
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task, Timings
from sightline.tasks.question import question_fields

log = logging.getLogger("sightline")

_RAW = ("image/", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded", "text/plain")
"""Media types that callers send the bytes of a picture under; the second to last is what curl says unasked."""
_QUALITIES = (92, 75, 50)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which task a path asks, by which names its pictures come, and how the answer is given."""

    task: str
    names: Mapping[str, str]
    media_type: str | None = None
    options: Mapping[str, str] | None = None
    extend: Callable[[dict[str, Any]], dict[str, Any]] = reply.as_it_is


class Function:
    """Answers events with the tasks whose models are here. `SIGHTLINE_TASK` (default: `emotion`) names the one that
    is asked where the event names none; the other settings are those of `sightline.settings`.

    Nothing is fetched for a caller unless `SIGHTLINE_ONLINE` is set: the function's role may read more than they.
    """

    def __init__(self, environ: Mapping[str, str], objects: ObjectStore | None = None) -> None:
        self._environ = environ
        self._objects = objects or Objects()
        self._tasks: dict[str, Task[Any, Any]] = {}

    @cached_property
    def settings(self) -> Settings:
        """Raises `InvalidOption` for an environment that cannot be read."""
        settings = Settings.from_env(self._environ)
        return replace(settings, online=settings.online and bool(self._environ.get("SIGHTLINE_ONLINE")))

    @property
    def default(self) -> str:
        """The task asked where an event names none."""
        return (self._environ.get("SIGHTLINE_TASK") or "emotion").split()[0]

    def task(self, name: str) -> Task[Any, Any]:
        """A task, loaded when first asked for. Raises as `tasks.registry.load`; nothing is pulled."""
        if name not in self._tasks:
            store = Store(self.settings, pull=False)
            self._tasks[name] = registry.load(name, settings=self.settings, store=store)
        return self._tasks[name]

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        """The answer to one event: for HTTP a reply as its sender expects it, for others the members of the answer
        or `{"statusCode", "error"}`. Raises only for S3 events, where Lambda is to try again."""
        started = time.perf_counter()
        request_id = str(getattr(context, "aws_request_id", "") or os.urandom(16).hex())
        event = event if isinstance(event, Mapping) else {"event": event}
        kind = kind_of(event)
        if kind == "s3":
            made = self._album(event, request_id)
            status = 200
        elif kind == "direct":
            made = self._guarded(lambda: self._direct(event), _bare, request_id)
            status = made.get("statusCode", 200)
        else:
            made = self._guarded(lambda: self._http(event, kind, request_id), _proxied(event, kind), request_id)
            status = made["statusCode"]
        log.info("%s %d %.1f ms id=%s", kind, status, (time.perf_counter() - started) * 1000, request_id)
        return made

    def _guarded(
        self, work: Callable[[], dict[str, Any]], wrap: Callable[[int, bytes, str], dict[str, Any]], request_id: str
    ) -> dict[str, Any]:
        try:
            return work()
        except SightlineError as error:
            status, told = STATUS.get(error.code, 500), body(error.code, str(error), request_id)
        except Exception:
            log.exception("unexpected error, request id %s", request_id)
            said = "an unexpected error; the function's log has it under this request id"
            status, told = 500, body("internal_error", said, request_id)
        return wrap(status, json.dumps(told).encode(), request_id)

    def _http(self, event: Event, kind: Kind, request_id: str) -> dict[str, Any]:
        request = read_request(event, kind)
        wrap = _proxied(event, kind)
        if request.method in ("GET", "HEAD"):
            return wrap(200, json.dumps(self._told(request)).encode(), request_id)
        asked = self._asked(request)
        check_headers(request.headers, self.settings.api_key)
        task = self.task(asked.task)
        accept = request.headers.get("accept")
        media_type = asked.media_type or reply.acceptable_type(accept, type(task))
        wire = _read_body(request, task, asked.names)
        wire.options.update(asked.options or {})
        answer, pictures = self._ask(task, wire)
        for content, kind_of_content in self._forms(task, answer, pictures, media_type, accept, asked):
            made = wrap(200, content, request_id, kind_of_content, reply.headers(answer, kind_of_content))
            if len(json.dumps(made)) <= REPLY_BYTES[kind]:
                return made
        raise AnswerTooLarge(
            f"the answer has more than the {REPLY_BYTES[kind]:,} bytes that can be sent from here: send a smaller "
            "picture, or ask for image/jpeg or application/json"
        )

    def _forms(
        self,
        task: Task[Any, Any],
        answer: Answer,
        pictures: Mapping[str, bytes],
        media_type: str,
        accept: str | None,
        asked: _Asked,
    ) -> Any:
        """The answer as it was asked for, then smaller where the caller takes that: a picture as JPEG."""
        yield reply.content(task, answer, pictures, media_type, asked.extend), media_type
        if media_type in reply.FORMATS and negotiate(accept, ("image/jpeg",)):
            from sightline.images.encode import encode

            drawing = task.drawing(answer, pictures)
            for quality in _QUALITIES:
                yield encode(drawing, "JPEG", quality=quality), "image/jpeg"

    def _told(self, request: Request) -> dict[str, Any]:
        """What a GET is answered. Raises `NotFound`, and for `/readyz` why the task cannot be asked."""
        path = request.path.rstrip("/")
        if path in ("", "/test"):
            return {"message": "Ok"} | ({"task": self.default} if path else {})
        if path == "/livez":
            return {"status": "alive"}
        if path == "/readyz":
            self.task(self.default)
            return {"status": "ready", "tasks": [self.default]}
        if path in ("/predict", "/face-sentiment") or path.startswith(("/v1/", "/face-bokeh/")):
            raise MethodNotAllowed(f"{path} does not take {request.method}")
        raise NotFound(f"{request.method} {request.path} is not here")

    def _asked(self, request: Request) -> _Asked:
        """The task that a path asks. Raises `NotFound`, `UnknownTask` and `MethodNotAllowed`."""
        path = request.path.rstrip("/")
        asked = self._routed(path)
        if asked is None:
            raise NotFound(f"{request.method} {request.path} is not here")
        if request.method != "POST":
            raise MethodNotAllowed(f"{request.path} does not take {request.method}")
        return asked

    def _routed(self, path: str) -> _Asked | None:
        if path in ("", "/predict"):
            names = _names(self.default)
            if self.default == "similarity":
                return _Asked(self.default, names | THREE, extend=add_result)
            return _Asked(self.default, names)
        if path == "/face-sentiment":
            return _Asked("emotion", FILE, "image/png")
        first, _, rest = path[1:].partition("/")
        if first == "v1" and rest and "/" not in rest:
            return _Asked(rest, _names(rest))
        if first == "face-bokeh" and rest and "/" not in rest:
            return _Asked("background", FILE, "image/png", {"query": rest})
        return None

    def _direct(self, event: Event) -> dict[str, Any]:
        """The question of a direct call: pictures as base64 (or as the native protocol has them), options, `task`."""
        members = dict(event)
        name = members.pop("task", self.default)
        if not isinstance(name, str):
            raise InvalidRequest("task is the name of one, as text")
        names = _names(name)
        for picture in names:
            if isinstance(members.get(picture), str):
                members[picture] = {"bytes": members[picture]}
        task = self.task(name)
        answer, _ = self._ask(task, read_members(members, names))
        # Through JSON, as over HTTP: what is given out holds lists, never tuples.
        made: dict[str, Any] = json.loads(reply.content(task, answer, {}, reply.JSON))
        if len(json.dumps(made)) > REPLY_BYTES["direct"]:
            raise AnswerTooLarge("the answer has more bytes than Lambda can send: send a smaller picture")
        return made

    def _album(self, event: Event, request_id: str) -> dict[str, Any]:
        task = self.task(self.default)
        (first, *others) = question_fields(task.Question).pictures

        def answer(content: bytes) -> dict[str, Any]:
            if any(picture.required for picture in others):
                raise InvalidRequest(f"{task.name} takes several pictures, and an object is one")
            found, _ = self._ask(task, Wire({first.name: content}))
            return found.to_dict()

        return answer_records(
            event,
            task.name,
            answer,
            store=self._objects,
            results=Results.from_env(self._environ),
            max_bytes=self.settings.max_bytes,
            request_id=request_id,
        )

    def _ask(self, task: Task[Any, Any], wire: Wire) -> tuple[Answer, dict[str, bytes]]:
        """The stamped answer, and its pictures as bytes."""
        if wire.typed:
            reply.check_types(type(task), wire.options)
        pictures = fetch(wire, self.settings)
        begun = time.perf_counter()
        question = task.ask(pictures, wire.options)
        decoded = time.perf_counter()
        answer = task.answer(question)
        ended = time.perf_counter()
        timings = Timings(decode=(decoded - begun) * 1000, infer=(ended - decoded) * 1000, total=(ended - begun) * 1000)
        return answer.stamped(task.identities, timings), pictures


def _names(task: str) -> dict[str, str]:
    """The names of a task's pictures. Raises `UnknownTask`."""
    return {picture.name: picture.name for picture in question_fields(registry.recipe(task).task().Question).pictures}


def _read_body(request: Request, task: Task[Any, Any], names: Mapping[str, str]) -> Wire:
    """The pictures and options of a body: a form, JSON, or the bytes of one picture with options in the query.

    Raises `UnsupportedMediaType` and what reading raises.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        # Imported here: most bodies are no forms.
        from sightline.protocols.form import read_form

        return read_parts(read_form(request.body, content_type), names)
    if kind == "application/json":
        return read_json(request.body, names)
    if kind and not kind.startswith(_RAW):
        raise UnsupportedMediaType(f"a request is multipart/form-data, application/json or image/*, not {kind!r}")
    if not request.body:
        return Wire(options=dict(request.query))
    first = next(iter(names))
    return Wire({names[first]: _raw_picture(request.body)}, dict(request.query))


def _raw_picture(content: bytes) -> bytes:
    """The bytes of a picture, which may have come as base64. Raises `InvalidImage` where an API changed them."""
    if sniff(content) is not None:
        return content
    try:
        decoded = b64decode(b"".join(content.split()), validate=True)
    except ValueError:
        decoded = b""
    if sniff(decoded) is not None:
        return decoded
    if b"\xef\xbf\xbd" in content[:64]:  # what is left of bytes that were read as text
        raise InvalidImage("the picture was read as text on its way: let the API pass binary media types")
    return content


def _bare(status: int, content: bytes, request_id: str) -> dict[str, Any]:
    return {"statusCode": status, **json.loads(content)}


def _proxied(event: Event, kind: Kind) -> Callable[..., dict[str, Any]]:
    """What makes a reply as API Gateway and load balancers expect it."""

    def wrap(
        status: int,
        content: bytes,
        request_id: str,
        media_type: str = reply.JSON,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        told = {
            "Content-Type": media_type,
            "X-Request-Id": request_id,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            **(headers or {}),
        }
        if status == 503:
            told["Retry-After"] = "1"
        if status == 401:
            told["WWW-Authenticate"] = "Bearer"
        binary = media_type != reply.JSON
        made: dict[str, Any] = {
            "statusCode": status,
            "headers": told,
            "body": b64encode(content).decode("ascii") if binary else content.decode(),
            "isBase64Encoded": binary,
        }
        if kind == "alb":
            made["statusDescription"] = f"{status} {HTTPStatus(status).phrase}"
            if "multiValueHeaders" in event:  # a target group that sends them takes no others
                made["multiValueHeaders"] = {name: [value] for name, value in made.pop("headers").items()}
        return made

    return wrap


handler = Function(os.environ)
if os.environ.get("AWS_LAMBDA_RUNTIME_API"):
    # Under Lambda the time before the first event has a full processor, whatever the function's memory buys later.
    try:
        handler.task(handler.default).warm()
    except SightlineError as error:
        log.error("%s", error)  # every event is told so
