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
from sightline.settings import Settings

Messages = list[dict[str, Any]]


def ask(
    app: Any, *, method: str = "POST", headers: dict[str, str] | None = None, body: Any = (b"",), settings: Any = None
) -> Messages:
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
    asyncio.run(Gate(app, max_body=100, settings=settings or Settings(), metrics=Metrics())(scope, receive, send))
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
    async def left(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    assert ask(left) == []
    assert not caplog.records


def test_other_kinds_of_scope_pass_untouched() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(Gate(app, max_body=1, settings=Settings(), metrics=Metrics())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]


def test_a_caller_who_asks_too_often_is_told_when_to_come_back() -> None:
    sent: Messages = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    gate = Gate(echo, max_body=100, settings=Settings(rate_limit=0.01, rate_burst=2), metrics=Metrics())

    def scope(method: str = "POST", key: str = "", client: str = "10.0.0.1") -> Any:
        headers = [(b"x-api-key", key.encode())] if key else []
        place = {"path": "/x", "query_string": b"", "client": (client, 1)}
        return {"type": "http", "method": method, "headers": headers, **place}

    async def all_of_them() -> None:
        for _ in range(3):
            await gate(scope(), receive, send)
        await gate(scope(method="GET"), receive, send)  # looking is not asking
        await gate(scope(client="10.0.0.2"), receive, send)
        await gate(scope(key="secret"), receive, send)

    asyncio.run(all_of_them())
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert [message["status"] for message in starts] == [200, 200, 429, 200, 200, 200]
    told = dict(starts[2]["headers"])
    assert 0 < int(told[b"retry-after"]) <= 100
    assert b"rate_limited" in sent[5]["body"]


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", "", "٣"])
def test_a_deadline_is_a_whole_number_of_milliseconds(value: str) -> None:
    raw = [(b"x-timeout-ms", value.encode())]
    sent: Messages = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = Gate(echo, max_body=100, settings=Settings(), metrics=Metrics())
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": raw, "query_string": b""}
    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 400
    assert b"invalid_option" in sent[1]["body"]


def test_a_deadline_may_be_shorter_than_the_servers_not_longer() -> None:
    left: list[Any] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        left.append(scope["state"]["ticket"].remaining())
        await PlainTextResponse("")(scope, receive, send)

    for value in ("250", "99999999999999999999"):
        ask(look, headers={"X-Timeout-Ms": value}, settings=Settings(timeout_seconds=5))
    ask(look, settings=Settings(timeout_seconds=0))
    assert 0 < left[0] <= 0.25 < left[1] <= 5
    assert left[2] is None


def test_a_body_that_does_not_arrive_in_time_is_given_up() -> None:
    sent: Messages = []

    async def receive() -> Any:
        await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    gate = Gate(echo, max_body=100, settings=Settings(upload_seconds=0.05), metrics=Metrics())
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b""}
    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"upload_too_slow" in sent[1]["body"]
