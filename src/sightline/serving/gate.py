"""What every request passes: an id, a deadline, limits of rate, size and time, security headers. Plain ASGI."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.errors import InvalidOption, Throttled
from sightline.serving.errors import STATUS, body
from sightline.serving.metrics import Metrics
from sightline.serving.rate import RateLimit
from sightline.serving.record import note_error
from sightline.serving.ticket import Ticket
from sightline.settings import Settings

log = logging.getLogger("sightline")

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI starts itself from an inline script and styles itself inline.
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class _TooLarge(Exception):
    """The body passed its limit while it was read."""


class _TooSlow(Exception):
    """The body took longer to arrive than it may."""


class Gate:
    """The outermost layer of the application but for the one that observes it (`observer.py`)."""

    def __init__(self, app: ASGIApp, *, max_body: int, settings: Settings, metrics: Metrics) -> None:
        self._app, self._max_body, self._settings, self._metrics = app, max_body, settings, metrics
        self._rate = RateLimit(settings.rate_limit, settings.rate_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        if scope["method"] == "HEAD":  # RFC 9110, section 9.3.2: what GET answers; the server leaves the content out
            scope = {**scope, "method": "GET"}

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        try:
            if scope["method"] == "POST":
                self._rate.take(_caller(scope, headers))
            scope["state"]["ticket"] = self._ticket(headers)
            length = headers.get("content-length", "0")
            if length.isdigit() and int(length) > self._max_body:
                raise _TooLarge
            await self._app(scope, self._counted(receive), reply)
        except (InvalidOption, Throttled) as error:
            if isinstance(error, Throttled):
                self._metrics.rejected("rate_limited")
            await _error(reply, error.code, str(error), request_id, getattr(error, "retry_after", None))
        except _TooLarge:
            self._metrics.rejected("too_large")
            if not status:
                text = f"the request has more than the {self._max_body:,} bytes that are accepted"
                await _error(reply, "image_too_large", text, request_id)
        except _TooSlow:
            self._metrics.rejected("too_slow")
            if not status:
                text = f"the body did not arrive within {self._settings.upload_seconds:g} seconds"
                await _error(reply, "upload_too_slow", text, request_id)
        except ClientDisconnect:
            pass
        except Exception:
            # Here and not in an exception handler: those of Starlette for any error answer outside of this gate.
            log.exception("unexpected error, request id %s", request_id)
            if status:
                raise  # the reply has begun: all that is left is to break the connection
            text = "an unexpected error; the server's log has it under this request id"
            await _error(reply, "internal_error", text, request_id)
        finally:
            # Where static files are mounted, the root path is the mount's.
            route = getattr(scope.get("route"), "path", None) or scope.get("root_path")
            scope["state"]["route"] = route or "unmatched"

    def _ticket(self, headers: Headers) -> Ticket:
        """The deadline that the request brings in `X-Timeout-Ms`, or the settings' own. Raises `InvalidOption`."""
        seconds = self._settings.timeout_seconds or None
        given = headers.get("x-timeout-ms")
        if given is not None:
            if not (given.isascii() and given.isdigit() and int(given[:12]) > 0):
                raise InvalidOption("X-Timeout-Ms is a whole number of milliseconds, 1 or more")
            seconds = min(int(given[:12]) / 1000, seconds or float("inf"))
        return Ticket(seconds)

    def _counted(self, receive: Receive) -> Receive:
        """The body as it arrives, within the limits of size and time."""
        seen, whole = 0, False
        due = time.monotonic() + self._settings.upload_seconds

        async def counted() -> Message:
            nonlocal seen, whole
            if whole:
                return await receive()  # only the client's disconnection can still come, whenever that is
            try:
                message = await asyncio.wait_for(receive(), max(0.001, due - time.monotonic()))
            except TimeoutError:
                raise _TooSlow from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > self._max_body:
                raise _TooLarge
            return message

        return counted

    def _add_headers(self, headers: MutableHeaders, path: str, request_id: str) -> None:
        headers["X-Request-Id"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
        headers.setdefault("Cache-Control", "no-store")
        headers["Content-Security-Policy"] = _DOCS_POLICY if path.startswith("/docs") else _POLICY


def _caller(scope: Scope, headers: Headers) -> str:
    """Who asks: the key, as a hash, so that it lies nowhere in memory twice; without one, the address."""
    key = headers.get("x-api-key") or headers.get("authorization")
    if key:
        # Of a signature only the key's id stays the same from one request to the next.
        key = key.partition("/")[0] if key.startswith("AWS4-") else key
        return hashlib.sha256(key.encode()).hexdigest()
    client = scope.get("client")
    return client[0] if client else ""


async def _error(send: Send, code: str, message: str, request_id: str, retry_after: float | None = None) -> None:
    note_error(code)
    content = json.dumps(body(code, message, request_id)).encode()
    # The connection is not closed while the rest of a body is still on its way: the reset that follows would
    # take this reply with it. The server discards that rest.
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", str(math.ceil(retry_after)).encode()))
    await send({"type": "http.response.start", "status": STATUS[code], "headers": headers})
    await send({"type": "http.response.body", "body": content})
