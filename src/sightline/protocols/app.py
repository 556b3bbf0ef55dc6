"""All protocols on one port."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

import sightline
from sightline.errors import SightlineError
from sightline.protocols import openapi
from sightline.protocols.accept import negotiate
from sightline.protocols.classic import Classic
from sightline.protocols.kserve.endpoint import KServe
from sightline.protocols.native import Native
from sightline.protocols.rekognition.endpoint import Rekognition
from sightline.protocols.reply import JSON
from sightline.serving.errors import STATUS, body
from sightline.serving.gate import Gate
from sightline.serving.gauges import watch_runtime
from sightline.serving.lag import LoopLag
from sightline.serving.metrics import Metrics
from sightline.serving.observer import Observer
from sightline.serving.record import note_error
from sightline.serving.runtime import Runtime
from sightline.serving.tracing import open_tracer
from sightline.tasks import schema

log = logging.getLogger("sightline")

_WEB = Path(str(resources.files("sightline"))) / "web"
# fastapi-offline carries the files of Swagger UI 5, so that /docs asks no other address.
_SWAGGER = Path(fastapi_offline.__file__).parent / "static"
_CODES = {404: "not_found", 405: "method_not_allowed"}
_ASKS_TASK = re.compile(r"/v1/[^/]+")
_HTML = "text/html"


def create_app(runtime: Runtime, names: tuple[str, ...] = ()) -> FastAPI:
    """The application that serves `names` (none: every task whose models are here) from `runtime`.

    Models load and warm while the application already answers `/livez` and, with 503, `/readyz`.
    """
    metrics = runtime.metrics
    lag = LoopLag()
    watch_runtime(runtime, lag)
    tracer = open_tracer(runtime.settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(lag.watch())
        loading = asyncio.create_task(asyncio.to_thread(_start, runtime, names))
        yield
        watching.cancel()
        runtime.drain()
        await loading
        await asyncio.to_thread(runtime.stop)
        if tracer is not None:
            await asyncio.to_thread(tracer.close)

    app = FastAPI(
        title="Sightline",
        version=sightline.__version__,
        summary="A photo in, a typed answer out.",
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        openapi_tags=openapi.TAGS,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    native = Native(runtime, metrics)
    app.include_router(native.router())
    app.include_router(Classic(native).router())
    app.include_router(Rekognition(runtime, metrics).router())
    app.include_router(KServe(runtime, metrics).router())
    _add_health(app, runtime, metrics)
    _add_pages(app)
    _add_errors(app, runtime)
    _describe(app)
    # Three pictures in base64 and some room for the rest.
    max_body = 3 * (runtime.settings.max_bytes * 4 // 3) + 65536
    app.add_middleware(Gate, max_body=max_body, settings=runtime.settings, metrics=metrics)
    app.add_middleware(Observer, metrics=metrics, tracer=tracer)
    return app


def _start(runtime: Runtime, names: tuple[str, ...]) -> None:
    try:
        runtime.start(names)
    except SightlineError as error:
        log.error("%s", error)  # /readyz goes on telling the reason
    for absent in runtime.absent.values():
        log.warning("not served: %s: %s", absent.name, absent.reason)
    if runtime.not_ready() is None:
        log.info("ready: %s", ", ".join(runtime.tasks))


def _add_health(app: FastAPI, runtime: Runtime, metrics: Metrics) -> None:
    status = schema.members(status=schema.STRING)

    @app.get("/livez", **openapi.described("Whether the process answers.", status))
    async def livez() -> Response:
        return JSONResponse({"status": "alive"})

    ready = schema.members(status=schema.STRING, tasks=schema.each(schema.STRING))

    @app.get("/readyz", **openapi.described("Whether every model has answered a warm-up.", ready, 503))
    async def readyz(request: Request) -> Response:
        reason = runtime.not_ready()
        if reason is not None:
            note_error("unavailable")
            return JSONResponse(body("unavailable", reason, request.state.request_id), 503)
        return JSONResponse({"status": "ready", "tasks": list(runtime.tasks)})

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        text = await asyncio.to_thread(metrics.text)  # some milliseconds, which nobody else should wait for
        return Response(text, media_type=metrics.content_type)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        if negotiate(request.headers.get("accept"), (_HTML, JSON)) == JSON:
            return JSONResponse({"message": "Ok"})
        return FileResponse(_WEB / "index.html", media_type=_HTML)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Sightline: the HTTP API",
            swagger_js_url="/docs/static/swagger-ui-bundle.js",
            swagger_css_url="/docs/static/swagger-ui.css",
            swagger_favicon_url="/web/favicon.svg",
        )

    app.mount("/docs/static", StaticFiles(directory=_SWAGGER), name="docs")
    app.mount("/web", StaticFiles(directory=_WEB), name="web")


def _add_errors(app: FastAPI, runtime: Runtime) -> None:
    def reply(request: Request, status: int, code: str, message: str, headers: Any = None) -> Response:
        note_error(code)
        return JSONResponse(body(code, message, request.state.request_id), status, headers=headers)

    @app.exception_handler(SightlineError)
    async def known(request: Request, error: Exception) -> Response:
        code = error.code if isinstance(error, SightlineError) else "internal_error"
        status = STATUS.get(code, 500)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        if status in (429, 503):
            headers = {"Retry-After": str(math.ceil(getattr(error, "retry_after", 1)))}
        return reply(request, status, code, str(error), headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        path = request.url.path
        if status == 404 and _ASKS_TASK.fullmatch(path):
            there = ", ".join(runtime.tasks) or "none yet"
            return reply(request, 404, "unknown_task", f"there is no task at {path}; served here: {there}")
        said = {404: f"{request.method} {path} is not here", 405: f"{path} does not take {request.method}"}
        message = said.get(status) or str(getattr(error, "detail", ""))
        return reply(request, status, _CODES.get(status, "invalid_request"), message, getattr(error, "headers", None))


def _describe(app: FastAPI) -> None:
    """FastAPI writes the schema; what it cannot know is added once."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            document.setdefault("components", {})["securitySchemes"] = openapi.SCHEMES
            # A round trip turns shared objects into plain JSON, once instead of at each request.
            app.openapi_schema = json.loads(json.dumps(document))
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
