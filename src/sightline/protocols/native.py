"""The native REST protocol: `POST /v1/{task}` and what describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sightline.errors import SightlineError
from sightline.images.decode import Source
from sightline.protocols import openapi
from sightline.protocols.access import check_key
from sightline.protocols.pictures import read_request
from sightline.protocols.reply import JSON, Render, acceptable_type, check_types, dump
from sightline.protocols.wire import Wire, fetch
from sightline.serving.metrics import Metrics
from sightline.serving.runtime import Runtime
from sightline.serving.waiting import unless_gone
from sightline.tasks import registry
from sightline.tasks.base import Task
from sightline.tasks.question import question_fields


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

    async def respond(
        self,
        request: Request,
        task: type[Task[Any, Any]],
        wire: Wire,
        render: Render,
        served_as: str | None = None,
    ) -> Response:
        """Answer a question that has been read from the wire. `served_as` is the runtime's name of the task where that
        is not its own."""
        if wire.typed:
            check_types(task, wire.options)
        try:
            pictures = await self._pictures(request, wire)
            asked = self.runtime.ask(served_as or task.name, pictures, wire.options, render, request.state.ticket)
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


def wanted_type(request: Request, task: type[Task[Any, Any]]) -> str:
    """The media type that the request's `Accept` likes best of those a task answers. Raises `NotAcceptable`."""
    return acceptable_type(request.headers.get("accept"), task)


def _json(members: Any) -> Response:
    return Response(dump(members), media_type=JSON)
