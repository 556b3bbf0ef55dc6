"""What is told of a request: its header, its count, its line of log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from sightline.models.card import Identity
from sightline.serving import logs
from sightline.serving.gate import Gate
from sightline.serving.lag import LoopLag
from sightline.serving.metrics import Metrics
from sightline.serving.observer import Observer
from sightline.serving.record import current
from sightline.settings import Settings
from sightline.tasks.base import Timings

MODEL = Identity("blazeface-full", "0.10.21", "ab" * 32)
TIMINGS = Timings(decode=4.0, queue=1.5, infer=40.0, total=45.5, encode=2.0)


def ask(app: Any, metrics: Metrics, *, method: str = "POST", body: bytes = b"x" * 50) -> list[dict[str, Any]]:
    """What is sent for one request through the gate and the observer."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-request-id", b"mine"), (b"x-api-key", b"a-secret-key")]
    scope = {
        "type": "http",
        "method": method,
        "path": "/secret/path",
        "headers": headers,
        "query_string": b"key=secret",
    }
    layers = Observer(Gate(app, max_body=100, settings=Settings(), metrics=metrics), metrics=metrics)
    asyncio.run(layers(scope, receive, send))
    return sent


def answers(metrics: Metrics) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        metrics.answered("faces", TIMINGS, (MODEL,))
        await PlainTextResponse("a secret answer")(scope, receive, send)

    return app


def server_timing(sent: list[dict[str, Any]]) -> dict[str, float]:
    header = dict(sent[0]["headers"])[b"server-timing"].decode()
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)(?:, |$)", header)}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where the log goes, as JSON."""
    out, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.configure("json", out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)


def test_server_timing_tells_the_stages_and_the_whole() -> None:
    metrics = Metrics()
    told = server_timing(ask(answers(metrics), metrics))
    total = told.pop("total")
    assert told == {"queue": 1.5, "decode": 4.0, "infer": 40.0, "encode": 2.0}
    assert total >= 0


def test_an_error_has_its_total_too() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError

    assert set(server_timing(ask(fails, Metrics()))) == {"total"}
    assert set(server_timing(ask(fails, Metrics(), body=b"x" * 101))) == {"total"}


def test_a_request_is_one_line_of_json(log: io.StringIO) -> None:
    metrics = Metrics()
    ask(answers(metrics), metrics)
    (line,) = log.getvalue().splitlines()
    members = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", members.pop("time"))
    assert members.pop("ms") >= 0
    assert members == {
        "level": "info",
        "id": "mine",
        "method": "POST",
        "route": "unmatched",
        "status": 200,
        "bytes_in": 50,
        "bytes_out": 15,
        "task": "faces",
        "code": "ok",
        "model": "blazeface-full 0.10.21",
        "stages_ms": {"queue": 1.5, "decode": 4.0, "infer": 40.0, "encode": 2.0},
    }
    assert "secret" not in line


def test_errors_have_a_level_a_code_and_a_traceback(log: io.StringIO) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("two\nlines")

    ask(fails, Metrics())
    unexpected, request = (json.loads(line) for line in log.getvalue().splitlines())
    assert (unexpected["level"], unexpected["logger"]) == ("error", "sightline")
    assert "ValueError: two\nlines" in unexpected["traceback"]
    assert "mine" in unexpected["message"]
    assert (request["level"], request["status"], request["code"]) == ("warning", 500, "internal_error")


def test_a_line_of_text() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("sightline.access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        metrics = Metrics()
        ask(answers(metrics), metrics)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    pattern = (
        r"POST unmatched 200 [\d.]+ ms 50 bytes in, 15 out task=faces code=ok queue=1.5 decode=4 infer=40 encode=2"
    )
    assert re.fullmatch(rf"{pattern} id=mine\n", out.getvalue())


def test_requests_are_counted_while_they_last() -> None:
    metrics = Metrics()
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert current() is not None
        seen.append(metrics.text().decode())
        await PlainTextResponse("ok")(scope, receive, send)

    ask(app, metrics)
    assert "sightline_requests_in_flight 1.0" in seen[0]
    assert "sightline_requests_in_flight 0.0" in metrics.text().decode()
    assert 'sightline_requests_total{route="unmatched",status="200"} 1.0' in metrics.text().decode()
    assert current() is None


def test_a_client_that_leaves_is_counted_as_nginx_does(log: io.StringIO) -> None:
    async def left(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    metrics = Metrics()
    assert ask(left, metrics) == []
    assert 'sightline_requests_total{route="unmatched",status="499"} 1.0' in metrics.text().decode()
    members = json.loads(log.getvalue())
    assert (members["level"], members["status"], members["bytes_out"]) == ("info", 499, 0)


def test_a_body_that_is_too_large_is_a_rejection() -> None:
    metrics = Metrics()

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    assert ask(reads, metrics, body=b"x" * 101)[0]["status"] == 413
    families = text_string_to_metric_families(metrics.text().decode())
    samples = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    assert samples["sightline_rejected_total", "too_large"] == 1


def test_a_request_that_asks_several_questions_has_the_stages_of_all() -> None:
    metrics = Metrics()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metrics.answered("faces", TIMINGS)
        metrics.answered("faces", TIMINGS)
        await PlainTextResponse("ok")(scope, receive, send)

    assert server_timing(ask(app, metrics))["infer"] == 80.0


def test_what_blocks_the_event_loop_is_seen_and_forgotten() -> None:
    lag = LoopLag(every=0.01, window=0.05)

    async def work() -> tuple[float, float]:
        watching = asyncio.create_task(lag.watch())
        await asyncio.sleep(0.02)
        time.sleep(0.5)  # what must not happen on it
        await asyncio.sleep(0.02)
        blocked = lag.worst()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if lag.worst() < 0.4:
                break
        watching.cancel()
        return blocked, lag.worst()

    blocked, later = asyncio.run(work())
    assert blocked >= 0.4
    assert later < 0.4
