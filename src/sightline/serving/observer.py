"""Sees every request and its reply: counts it, times it, logs it, traces it. Plain ASGI, outside of all the rest."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.serving.logs import Line
from sightline.serving.metrics import Metrics
from sightline.serving.probes import PROBES
from sightline.serving.record import Record, recording

log = logging.getLogger("sightline.access")


class Tracer(Protocol):
    """Where requests are told as traces (`tracing.py`)."""

    def export(self, record: Record, headers: Headers) -> str | None:
        """Hand over one finished request and what it came with; the id of its trace."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class Observer:
    """Wraps an application whose inner layers leave `request_id` and `route` in the scope's state."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracer: Tracer | None = None) -> None:
        self._app, self._metrics, self._tracer = app, metrics, tracer
        self._in_flight = 0
        metrics.gauge("requests_in_flight", lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(scope["method"])
        state = scope.setdefault("state", {})

        async def counted() -> Message:
            message = await receive()
            record.bytes_in += len(message.get("body", b""))
            return message

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                MutableHeaders(scope=message)["Server-Timing"] = _server_timing(record)
            else:
                record.bytes_out += len(message.get("body", b""))
            await send(message)

        self._in_flight += 1
        try:
            with recording(record):
                await self._app(scope, counted, reply)
        finally:
            self._in_flight -= 1
            record.seconds = time.perf_counter() - record.began
            record.request_id = state.get("request_id", "")
            record.route = state.get("route", record.route)
            self._tell(record, Headers(scope=scope))

    def _tell(self, record: Record, headers: Headers) -> None:
        self._metrics.request(record.route, record.status, record.seconds)
        if self._tracer is not None:
            record.trace_id = self._tracer.export(record, headers)
        # That a probe finds a server not ready is no news while it loads.
        failed = record.status >= 500 and record.route not in PROBES
        log.log(logging.WARNING if failed else logging.INFO, Line(record))


def _server_timing(record: Record) -> str:
    """The header `Server-Timing` (W3C): milliseconds of each stage, and of all until the reply begins."""
    total = round((time.perf_counter() - record.began) * 1000, 2)
    return ", ".join(f"{name};dur={ms:g}" for name, ms in {**record.stage_ms(), "total": total}.items())
