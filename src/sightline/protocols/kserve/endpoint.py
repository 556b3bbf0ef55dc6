"""`/v2`: the routes of the Open Inference Protocol, from the wire to a task or a model and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

import sightline
from sightline.errors import (
    ImageTooLarge,
    InvalidOption,
    InvalidRequest,
    NotFound,
    SightlineError,
    TimedOut,
    Unavailable,
    UnknownModel,
)
from sightline.protocols.access import check_key
from sightline.protocols.kserve.models import RawModel
from sightline.protocols.kserve.reading import read_infer
from sightline.protocols.kserve.tasks import TaskModel
from sightline.protocols.kserve.tensors import InferRequest, Tensor
from sightline.protocols.kserve.writing import write_infer
from sightline.serving.errors import STATUS, UnsupportedMediaType
from sightline.serving.held import Held, held_models
from sightline.serving.metrics import Metrics
from sightline.serving.record import note_error
from sightline.serving.runtime import Runtime
from sightline.serving.waiting import unless_gone
from sightline.tasks import registry

log = logging.getLogger("sightline")

_LENGTH = "Inference-Header-Content-Length"
# JSON larger than this is read in a worker: the event loop stays free.
_SMALL = 65_536
_MOST_SECONDS = 3600.0


class Served(Protocol):
    """What the protocol calls a model."""

    name: str
    version: str
    platform: str

    @property
    def metadata(self) -> dict[str, Any]: ...

    async def infer(self, request: InferRequest) -> list[Tensor]: ...


class KServe:
    """Answers clients of the Open Inference Protocol. A served task is a model, and so is every model behind the
    tasks; of the same name the task counts."""

    def __init__(self, runtime: Runtime, metrics: Metrics) -> None:
        self._runtime, self._metrics = runtime, metrics

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2", include_in_schema=False)
        routes: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
            ("/health/live", "GET", self._live),
            ("/health/ready", "GET", self._ready),
            ("", "GET", _guarded(self, self._about)),
            ("/repository/index", "POST", _guarded(self, self._index)),
        )
        for path, method, endpoint in routes:
            router.add_api_route(path, _told(endpoint), methods=[method], response_model=None)
        for path in ("/models/{name}", "/models/{name}/versions/{version}"):
            for suffix, method, endpoint in (
                ("", "GET", self._metadata),
                ("/ready", "GET", self._model_ready),
                ("/infer", "POST", self._infer),
            ):
                guarded = _told(_guarded(self, endpoint))
                router.add_api_route(path + suffix, guarded, methods=[method], response_model=None)
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        router.add_api_route("/{rest:path}", _told(_not_here), methods=every, response_model=None)
        return router

    def check(self, request: Request) -> None:
        """Raise `Unauthorized` unless the request carries the server's API key."""
        check_key(request, self._runtime.settings.api_key)

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        reason = self._runtime.not_ready()
        if reason is not None:
            raise Unavailable(reason)
        return JSONResponse({"ready": True})

    async def _about(self, request: Request) -> Response:
        about = {"name": "sightline", "version": sightline.__version__, "extensions": ["binary_tensor_data"]}
        return JSONResponse(about)

    async def _index(self, request: Request) -> Response:
        """Every model by its name: the one part of the model repository extension that is offered."""
        held = await self._runtime.run(lambda: held_models(tuple(self._runtime.tasks.values())))
        tasks = {name: self._task(name).version for name in self._runtime.tasks}
        versions = tasks | {name: model.card.version for name, model in held.items() if name not in tasks}
        ready = [
            {"name": name, "version": version, "state": "READY", "reason": ""} for name, version in versions.items()
        ]
        absent = [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": missing.reason}
            for name, missing in self._runtime.absent.items()
        ]
        return JSONResponse(ready + absent)

    async def _metadata(self, request: Request) -> Response:
        model = await self._asked(request)
        members = {"name": model.name, "versions": [model.version], "platform": model.platform, **model.metadata}
        return JSONResponse(members)

    async def _model_ready(self, request: Request) -> Response:
        model = await self._asked(request)
        reason = self._runtime.not_ready()
        if reason is not None:
            raise Unavailable(reason)
        return JSONResponse({"name": model.name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        model = await self._asked(request)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("compressed requests are not accepted")
        length = _json_length(request)
        body = await request.body()
        if (length or len(body)) > self._most_json:
            text = f"the JSON of a request has at most {self._most_json:,} bytes; send pictures as binary tensors"
            raise ImageTooLarge(text)
        if (length or len(body)) <= _SMALL:
            asked = read_infer(body, length)
        else:
            asked = await self._runtime.run(lambda: read_infer(body, length))
        seconds = _take_timeout(asked.parameters)
        due = [limit for limit in (seconds, request.state.ticket.remaining()) if limit is not None]
        try:
            async with asyncio.timeout(min(due, default=None)):
                outputs = await unless_gone(request, model.infer(asked))
        except TimeoutError:
            raise TimedOut("no answer within the request's timeout") from None
        binary = {wanted.name: wanted.binary for wanted in asked.outputs}
        flagged = [(tensor, binary.get(tensor.name, asked.binary)) for tensor in outputs]
        reply = write_infer(model.name, model.version, asked.id, flagged)
        if reply.json_length is None:
            return Response(reply.body, media_type="application/json")
        headers = {_LENGTH: str(reply.json_length)}
        return Response(reply.body, media_type="application/octet-stream", headers=headers)

    @property
    def _most_json(self) -> int:
        """Numbers in JSON take many times their memory once read: room for one picture in base64, and no more."""
        return self._runtime.settings.max_bytes * 4 // 3 + _SMALL

    async def _asked(self, request: Request) -> Served:
        """The model that the path names. Raises `UnknownModel`, and `Unavailable` for a task that is not served."""
        model = await self._model(request.path_params["name"])
        version = request.path_params.get("version")
        if version is not None and version != model.version:
            raise UnknownModel(f"{model.name} has the version {model.version} only, not {version[:60]!r}")
        return model

    async def _model(self, name: str) -> Served:
        if self._runtime.identities(name):
            return self._task(name)
        held = await self._held(name)
        if held is not None:
            return RawModel(held, self._runtime, self._metrics)
        if name in registry.TASKS:
            self._runtime.kind(name)  # says why it is not served
        reason = self._runtime.not_ready()
        if reason is not None:
            raise Unavailable(reason)
        raise UnknownModel(f"no model is called {name[:60]!r} here; POST /v2/repository/index lists those there are")

    async def _held(self, name: str) -> Held | None:
        holders = (
            task
            for task in self._runtime.tasks
            if any(identity.name == name for identity in self._runtime.identities(task))
        )
        task = next(holders, None)
        if task is None:
            return None
        # In a worker: the task may have been unloaded. Only this one is loaded for it.
        return (await self._runtime.run(lambda: held_models((self._runtime.tasks[task],)))).get(name)

    def _task(self, name: str) -> TaskModel:
        return TaskModel(name, self._runtime, self._metrics)


def _guarded(
    kserve: KServe, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        kserve.check(request)
        return await endpoint(request)

    return guarded


def _told(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint with its errors as the protocol tells them."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except SightlineError as error:
            note_error(error.code)
            status = STATUS.get(error.code, 500)
            headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status)
            return JSONResponse({"error": str(error)}, status, headers=headers)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("unexpected error, request id %s", request.state.request_id)
            note_error("internal_error")
            text = "an unexpected error; the server's log has it under the request's id"
            return JSONResponse({"error": text}, 500)

    return told


async def _not_here(request: Request) -> Response:
    raise NotFound(f"{request.method} {request.url.path[:200]} is not here")


def _json_length(request: Request) -> int | None:
    text = request.headers.get(_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(f"{_LENGTH} is a number of bytes")
    return int(text)


def _take_timeout(parameters: dict[str, Any]) -> float | None:
    """The seconds of the parameter `timeout`, which is in microseconds; it and `priority` are taken out. The request is
    dropped when they have passed; every request has the same priority here.

    Raises `InvalidOption`, also for a sequence: no model here keeps state between requests.
    """
    if any(name.startswith("sequence_") for name in parameters):
        raise InvalidOption("no model here keeps state: sequences are not offered")
    parameters.pop("priority", None)
    given = parameters.pop("timeout", None)
    if given is None or given == 0:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise InvalidOption("timeout is a number of microseconds")
    return min(given / 1e6, _MOST_SECONDS) if given < 1e15 else _MOST_SECONDS
