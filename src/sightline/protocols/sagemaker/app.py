"""The application of a container that SageMaker hosts: its contract and nothing else.

No route asks for a key: SageMaker lets only its own callers in, by IAM, and passes no header of theirs but the
custom attributes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeGuard

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sightline.errors import InvalidOption, InvalidRequest, SightlineError, Unavailable
from sightline.protocols.native import Native
from sightline.protocols.sagemaker.attributes import HEADER, Attributes
from sightline.protocols.sagemaker.invocation import Invoker
from sightline.protocols.sagemaker.models import Shelf
from sightline.serving.errors import STATUS, body
from sightline.serving.gate import Gate
from sightline.serving.metrics import Metrics
from sightline.serving.observer import Observer
from sightline.serving.record import note_error
from sightline.serving.runtime import Runtime
from sightline.serving.tracing import open_tracer

log = logging.getLogger("sightline")

_CODES = {404: "not_found", 405: "method_not_allowed"}
_LONGEST = 1024


def create_single(runtime: Runtime, names: tuple[str, ...]) -> FastAPI:
    """One set of tasks, loaded at the start: `/ping` and `/invocations`."""
    metrics = runtime.metrics
    invoker = Invoker(Native(runtime, metrics))
    app = _application(runtime, metrics, lambda: _start(runtime, names))

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        attributes = Attributes.parse(request.headers.get(HEADER))
        reason = runtime.not_ready()
        if reason is not None and not runtime.tasks:
            raise Unavailable(reason)
        name = attributes.task or _only(runtime)
        return await invoker.answer(request, attributes, runtime.kind(name), name)

    return app


def create_multi(runtime: Runtime, shelf: Shelf) -> FastAPI:
    """Many models, loaded and unloaded as SageMaker wants: `/ping`, `/models` and `/models/{name}/invoke`."""
    metrics = runtime.metrics
    invoker = Invoker(Native(runtime, metrics))
    app = _application(runtime, metrics, runtime.open)

    @app.post("/models")
    async def load(request: Request) -> Response:
        name, url = _read_order(await request.body())
        return JSONResponse((await shelf.load(name, url)).to_dict())

    @app.get("/models")
    async def index(request: Request) -> Response:
        page, token = shelf.page(request.query_params.get("next_page_token", ""))
        members: dict[str, Any] = {"models": [model.to_dict() for model in page]}
        return JSONResponse(members if token is None else {**members, "nextPageToken": token})

    @app.get("/models/{name}")
    async def show(request: Request) -> Response:
        return JSONResponse(shelf.get(request.path_params["name"]).to_dict())

    @app.delete("/models/{name}")
    async def unload(request: Request) -> Response:
        return JSONResponse((await shelf.unload(request.path_params["name"])).to_dict())

    @app.post("/models/{name}/invoke")
    async def invoke(request: Request) -> Response:
        name = shelf.get(request.path_params["name"]).name
        attributes, task = Attributes.parse(request.headers.get(HEADER)), runtime.kind(name)
        if attributes.task not in (None, task.name):
            raise InvalidOption(f"{name} answers {task.name}, not {attributes.task!r}")
        return await invoker.answer(request, attributes, task, name)

    return app


def _application(runtime: Runtime, metrics: Metrics, begin: Callable[[], None]) -> FastAPI:
    tracer = open_tracer(runtime.settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # `/ping` answers 503 meanwhile, and SageMaker asks again.
        loading = asyncio.create_task(asyncio.to_thread(begin))
        yield
        runtime.drain()
        await loading
        await asyncio.to_thread(runtime.stop)
        if tracer is not None:
            await asyncio.to_thread(tracer.close)

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    @app.get("/ping")
    async def ping(request: Request) -> Response:
        reason = runtime.not_ready()
        if reason is not None:
            raise Unavailable(reason)
        return Response()

    @app.exception_handler(SightlineError)
    async def known(request: Request, error: Exception) -> Response:
        code = error.code if isinstance(error, SightlineError) else "internal_error"
        note_error(code)
        status = STATUS.get(code, 500)
        headers = {"Retry-After": "1"} if status == 503 else None
        return JSONResponse(body(code, str(error), request.state.request_id), status, headers=headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = f"{request.method} {request.url.path[:200]} is not of this container's contract"
        note_error(_CODES.get(status, "invalid_request"))
        content = body(_CODES.get(status, "invalid_request"), text, request.state.request_id)
        return JSONResponse(content, status, headers=getattr(error, "headers", None))

    settings = runtime.settings
    app.add_middleware(Gate, max_body=settings.sagemaker_max_bytes, settings=settings, metrics=metrics)
    app.add_middleware(Observer, metrics=metrics, tracer=tracer)
    return app


def _start(runtime: Runtime, names: tuple[str, ...]) -> None:
    try:
        runtime.start(names)
    except SightlineError as error:
        log.error("%s", error)  # /ping goes on telling the reason
        return
    log.info("ready: %s", ", ".join(runtime.tasks))


def _only(runtime: Runtime) -> str:
    if len(runtime.tasks) != 1:
        there = ", ".join(runtime.tasks)
        raise InvalidOption(f"several tasks are served here: say which in {HEADER}, task=NAME: {there}")
    return next(iter(runtime.tasks))


def _read_order(content: bytes) -> tuple[str, str]:
    """The name and the folder of a model to load. Raises `InvalidRequest`."""
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        members = {}
    name, url = members.get("model_name"), members.get("url")
    if not _is_short_text(name) or not _is_short_text(url):
        raise InvalidRequest('the body is {"model_name": "...", "url": "/folder/of/the/model"}')
    if "/" in name or not url.startswith("/"):
        raise InvalidRequest("model_name is a name without slashes, and url the path of a folder of this container")
    return name, url


def _is_short_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()
