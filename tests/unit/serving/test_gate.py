"""What every request passes, before an application of a few lines."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from sightline.serving.gate import Gate
from sightline.serving.metrics import Metrics

Messages = list[dict[str, Any]]


def ask(app: Any, *, method: str = "POST", headers: dict[str, str] | None = None, body: Any = (b"",)) -> Messages:
    """What the gate sends for one request; `body` is given in these pieces."""
    sent: Messages = []
    pieces = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
    pieces[-1]["more_body"] = False
    queue = iter([*pieces, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(queue)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": "/x", "headers": raw, "query_string": b""}
    asyncio.run(Gate(app, max_body=100, metrics=Metrics())(scope, receive, send))
    return sent


def header(sent: Messages, name: str) -> str:
    return dict(sent[0]["headers"])[name.encode()].decode()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    request = Request(scope, receive)
    body = await request.body()
    await PlainTextResponse(f"{request.method} {len(body)} {request.state.request_id}")(scope, receive, send)


def test_a_request_passes() -> None:
    sent = ask(echo, headers={"X-Request-Id": "mine"}, body=(b"a" * 60, b"b" * 40))
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"POST 100 mine"
    assert header(sent, "x-request-id") == "mine"
    assert header(sent, "cache-control") == "no-store"


@pytest.mark.parametrize("pieces", [(b"a" * 101,), (b"a" * 60, b"b" * 41, b"c" * 1000)])
def test_a_body_is_counted_while_it_is_read(pieces: tuple[bytes, ...]) -> None:
    sent = ask(echo, body=pieces)
    assert sent[0]["status"] == 413
    assert b'"image_too_large"' in sent[1]["body"]
    assert header(sent, "content-length") == str(len(sent[1]["body"]))
    # Closing at once would reset the connection, and the reply with it.
    assert b"connection" not in dict(sent[0]["headers"])


def test_a_declared_length_is_enough() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    assert ask(never, headers={"Content-Length": "101"})[0]["status"] == 413


def test_head_is_what_get_would_say() -> None:
    assert ask(echo, method="HEAD")[1]["body"].startswith(b"GET 0 ")


def test_an_error_nobody_expected(caplog: pytest.LogCaptureFixture) -> None:
    """500 in the shape of every error, with the id under which the log has the traceback."""

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a secret detail")

    sent = ask(fails, headers={"X-Request-Id": "mine"})
    assert sent[0]["status"] == 500
    assert header(sent, "x-request-id") == "mine"
    assert header(sent, "x-content-type-options") == "nosniff"
    assert b'"internal_error"' in sent[1]["body"]
    assert b"secret" not in sent[1]["body"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "mine" in record.getMessage()
    assert record.exc_info


def test_a_reply_that_has_begun_is_broken_off() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        ask(fails)


def test_a_client_that_goes_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def left(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    assert ask(left) == []
    (record,) = caplog.records
    assert (record.levelno, " 499 " in record.getMessage()) == (logging.INFO, True)


def test_other_kinds_of_scope_pass_untouched() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(Gate(app, max_body=1, metrics=Metrics())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
