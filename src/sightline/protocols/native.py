"""The native REST protocol: `POST /v1/{task}` and what describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sightline.errors import InvalidOption, SightlineError
from sightline.images.decode import Source
from sightline.images.encode import encode
from sightline.protocols import openapi
from sightline.protocols.accept import negotiate
from sightline.protocols.access import check_key
from sightline.protocols.pictures import Wire, fetch, read_request
from sightline.serving.errors import NotAcceptable
from sightline.serving.metrics import Metrics
from sightline.serving.runtime import Runtime
from sightline.serving.waiting import unless_gone
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import question_fields

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a reply, and the headers that go with it."""

    content: bytes
    headers: dict[str, str]


def same(members: dict[str, Any]) -> dict[str, Any]:
    """The members as they are."""
    return members


@dataclass(frozen=True, slots=True)
class Render:
    """Writes an answer as JSON, its members passed through `extend` (a function of a module), or as a drawn picture."""

    media_type: str
    extend: Callable[[dict[str, Any]], dict[str, Any]] = same

    def __call__(self, task: Task[Any, Any], answer: Answer, pictures: Mapping[str, Source]) -> Reply:
        timings = answer.timings.to_dict()
        if self.media_type not in _FORMATS:
            return Reply(dump(self.extend(answer.to_dict())), {})
        # A picture has no room for members: the small ones go beside it.
        members = {**answer.caption(), "model": answer.models[0].to_dict(), "timings_ms": timings}
        headers = {"X-Sightline-Answer": dump(members).decode()}
        drawn = encode(task.drawing(answer, pictures), _FORMATS[self.media_type])
        return Reply(drawn, headers)


def dump(members: Any) -> bytes:
    """JSON in UTF-8. NaN and infinities become null."""
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


class Native:
    """Answers questions over HTTP; the classic routes ask through it too."""

    def __init__(self, runtime: Runtime, metrics: Metrics) -> None:
        self.runtime, self.metrics = runtime, metrics

    def router(self) -> APIRouter:
        router = APIRouter()
        for name in registry.TASKS:
            router.add_api_route(
                f"/v1/{name}",
                self._endpoint(name),
                methods=["POST"],
                name=name,
                **openapi.operation(registry.recipe(name).task()),
            )
        router.add_api_route("/v1/tasks", self.tasks, methods=["GET"], **openapi.TASKS)
        router.add_api_route("/v1/models", self.models, methods=["GET"], **openapi.MODELS)
        return router

    def _endpoint(self, name: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return await self.answer(request, name)

        return endpoint

    async def answer(self, request: Request, name: str) -> Response:
        """Answer one request of the native protocol."""
        check_key(request, self.runtime.settings.api_key)
        task = self.runtime.kind(name)
        media_type = wanted_type(request, task)
        names = {picture.name: picture.name for picture in question_fields(task.Question).pictures}
        return await self.respond(request, task, await read_request(request, names), Render(media_type))

    async def respond(self, request: Request, task: type[Task[Any, Any]], wire: Wire, render: Render) -> Response:
        """Answer a question that has been read from the wire."""
        if wire.typed:
            _check_types(task, wire.options)
        try:
            pictures = await self._pictures(request, wire)
            asked = self.runtime.ask(task.name, pictures, wire.options, render, request.state.ticket)
            timings, reply = await unless_gone(request, asked)
        except SightlineError as error:
            self.metrics.failed(task.name, error.code)
            raise
        self.metrics.answered(task.name, timings, self.runtime.identities(task.name))
        return Response(reply.content, media_type=render.media_type, headers=reply.headers)

    async def _pictures(self, request: Request, wire: Wire) -> Mapping[str, Source]:
        if all(isinstance(picture, bytes) for picture in wire.pictures.values()):
            return wire.pictures  # type: ignore[return-value]
        return await self.runtime.run(lambda: fetch(wire, self.runtime.settings), request.state.ticket)

    async def tasks(self, request: Request) -> Response:
        """Every task: whether it is served here and why not, its pictures, its options and its models."""
        check_key(request, self.runtime.settings.api_key)
        return _json({"tasks": [self._describe(name) for name in registry.TASKS]})

    async def models(self, request: Request) -> Response:
        """Every model of the store: its card, and whether its weights are here."""
        check_key(request, self.runtime.settings.api_key)
        store = self.runtime.store
        return _json(
            {
                "models": await self.runtime.run(
                    lambda: [{**card.to_dict(), "state": store.state(card)} for card in store.cards()]
                )
            }
        )

    def _describe(self, name: str) -> dict[str, Any]:
        kind = registry.recipe(name).task()
        fields = question_fields(kind.Question)
        served = self.runtime.identities(name)
        reason = None
        if not served:
            absent = self.runtime.absent.get(name)
            reason = absent.reason if absent else self.runtime.not_ready() or "this server was not asked to serve it"
        return {
            "name": name,
            "summary": kind.summary,
            "ready": bool(served),
            "reason": reason,
            "answers_picture": kind.answers_picture,
            "pictures": [{"name": p.name, "required": p.required, "help": p.help} for p in fields.pictures],
            "options": [openapi.option_members(option) for option in fields.options],
            "models": [identity.to_dict() for identity in served],
        }


def _check_types(task: type[Task[Any, Any]], options: Mapping[str, Any]) -> None:
    """Text stands for a number or a truth value in a form, not in JSON. Raises `InvalidOption`."""
    for option in question_fields(task.Question).options:
        if option.kind is not str and isinstance(options.get(option.name), str):
            raise InvalidOption(f"{option.name} is text, which is not a {option.json_type}")


def wanted_type(request: Request, task: type[Task[Any, Any]]) -> str:
    """The media type that the request's `Accept` likes best of those a task answers. Raises `NotAcceptable`."""
    offers = (*_FORMATS, JSON) if task.answers_picture else (JSON, *_FORMATS)
    media_type = negotiate(request.headers.get("accept"), offers)
    if media_type is None:
        raise NotAcceptable(f"{task.name} answers {', '.join(offers)}")
    return media_type


def _json(members: Any) -> Response:
    return Response(dump(members), media_type=JSON)
