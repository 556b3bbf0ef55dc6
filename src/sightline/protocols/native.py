"""The native REST protocol: `POST /v1/{task}` and what describes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sightline.errors import InvalidOption, SightlineError
from sightline.images.encode import MEDIA_TYPES, encode
from sightline.protocols import openapi
from sightline.protocols.accept import negotiate
from sightline.protocols.access import check_key
from sightline.protocols.pictures import Wire, fetch, read_request
from sightline.serving.errors import NotAcceptable
from sightline.serving.metrics import Metrics
from sightline.serving.runtime import Runtime
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import question_fields

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
JSON = "application/json"


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
        task = self.runtime.task(name)
        media_type = wanted_type(request, task)
        names = {picture.name: picture.name for picture in question_fields(task.Question).pictures}
        return await self.respond(task, await read_request(request, names), media_type)

    async def respond(
        self,
        task: Task[Any, Any],
        wire: Wire,
        media_type: str,
        extend: Callable[[dict[str, Any]], dict[str, Any]] = lambda members: members,
    ) -> Response:
        """Answer a question that has been read from the wire, as JSON (its members passed through `extend`) or
        as a drawn picture."""
        if wire.typed:
            _check_types(task, wire.options)
        pictures = dict(wire.pictures)
        if any(not isinstance(picture, bytes) for picture in pictures.values()):
            fetched = await self.runtime.run(lambda: fetch(wire, self.runtime.settings))
            pictures = dict(fetched)

        def finish(answer: Answer) -> bytes:
            if media_type in _FORMATS:
                return encode(task.drawing(answer, pictures), _FORMATS[media_type])  # type: ignore[arg-type]
            return json.dumps(extend(answer.to_dict()), separators=(",", ":")).encode()

        try:
            answer, content = await self.runtime.ask(task.name, pictures, wire.options, finish)  # type: ignore[arg-type]
        except SightlineError as error:
            self.metrics.failed(task.name, error.code)
            raise
        self.metrics.answered(task.name, answer.timings)
        return Response(content, media_type=media_type, headers=_headers(answer, media_type))

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
        served = self.runtime.tasks.get(name)
        reason = None
        if served is None:
            absent = self.runtime.absent.get(name)
            reason = absent.reason if absent else self.runtime.not_ready() or "this server was not asked to serve it"
        return {
            "name": name,
            "summary": kind.summary,
            "ready": served is not None,
            "reason": reason,
            "answers_picture": kind.answers_picture,
            "pictures": [{"name": p.name, "required": p.required, "help": p.help} for p in fields.pictures],
            "options": [openapi.option_members(option) for option in fields.options],
            "models": [identity.to_dict() for identity in served.identities] if served else [],
        }


def _check_types(task: Task[Any, Any], options: Mapping[str, Any]) -> None:
    """Text stands for a number or a truth value in a form, not in JSON. Raises `InvalidOption`."""
    for option in question_fields(task.Question).options:
        if option.kind is not str and isinstance(options.get(option.name), str):
            raise InvalidOption(f"{option.name} is text, which is not a {option.json_type}")


def wanted_type(request: Request, task: Task[Any, Any]) -> str:
    """The media type that the request's `Accept` likes best of those a task answers. Raises `NotAcceptable`."""
    offers = (*_FORMATS, JSON) if task.answers_picture else (JSON, *_FORMATS)
    media_type = negotiate(request.headers.get("accept"), offers)
    if media_type is None:
        raise NotAcceptable(f"{task.name} answers {', '.join(offers)}")
    return media_type


def _headers(answer: Answer, media_type: str) -> Mapping[str, str]:
    timings = answer.timings.to_dict()
    headers = {"Server-Timing": ", ".join(f"{name};dur={value}" for name, value in timings.items())}
    if media_type in MEDIA_TYPES.values():
        # A picture has no room for members: the small ones go beside it.
        members = {**answer.caption(), "model": answer.models[0].to_dict(), "timings_ms": timings}
        headers["X-Sightline-Answer"] = json.dumps(members, separators=(",", ":"))
    return headers


def _json(members: Any) -> Response:
    return Response(json.dumps(members, separators=(",", ":")), media_type=JSON)
