"""The application with models that are not there, not there yet, or that fail: in process, without weights."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.errors import EngineError
from sightline.models.store import Store
from sightline.protocols.app import create_app
from sightline.serving.errors import STATUS
from sightline.serving.runtime import Runtime
from sightline.settings import Settings
from sightline.tasks.registry import TASKS


def every_error(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    settings = Settings(cache=tmp_path, offline=True, online=False, max_concurrency=1)
    return Runtime(settings, store=Store(settings, pull=False))


def test_every_code_has_a_status() -> None:
    from sightline.errors import SightlineError

    for error in every_error(SightlineError):
        assert error.__module__.split(".")[0] != "sightline" or error.code in STATUS, error


def test_not_ready_while_models_load(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def load(name: str) -> Any:
        loading.set()
        assert go_on.wait(20)
        raise EngineError("the weights are torn")

    monkeypatch.setattr(runtime, "_load", load)
    with TestClient(create_app(runtime, ("faces",))) as client:
        assert loading.wait(20)
        early = client.get("/readyz")
        assert (early.status_code, early.json()["error"]["code"]) == (503, "unavailable")
        assert "loaded" in early.json()["error"]["message"]
        asked = client.post("/v1/faces", files={"image": b"x"})
        assert (asked.status_code, asked.headers["retry-after"]) == (503, "1")
        assert client.get("/livez").status_code == 200
        go_on.set()
        for _ in range(2000):
            late = client.get("/readyz")
            if late.json()["error"]["message"] != early.json()["error"]["message"]:
                break
        assert (late.status_code, late.json()["error"]["message"]) == (503, "the weights are torn")


def test_absent_tasks_are_told(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TASKS["similarity"]
    without_fallback = replace(plan, parts={**plan.parts, "embedder": (("dlib-face",),)})
    monkeypatch.setitem(TASKS, "similarity", without_fallback)
    runtime.start()  # the Haar cascade comes with OpenCV
    client = TestClient(create_app(runtime))
    ready = client.get("/readyz").json()["tasks"]
    assert "faces" in ready
    assert "similarity" not in ready
    answer = client.post("/v1/similarity", files={"anchor": b"x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    told = {task["name"]: task for task in client.get("/v1/tasks").json()["tasks"]}
    assert told["similarity"]["reason"] in answer.json()["error"]["message"]
    assert told["similarity"]["models"] == []


def test_an_engine_that_breaks_is_one_line(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.start(("faces",))
    for error, code in ((EngineError("it broke"), "engine_error"), (RuntimeError("a detail"), "internal_error")):

        def fails(question: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(runtime.tasks["faces"], "answer", fails)
        picture = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
            "0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6368000000820081"
            "77cd72b60000000049454e44ae426082"
        )
        reply = TestClient(create_app(runtime)).post("/v1/faces", files={"image": picture})
        assert (reply.status_code, reply.json()["error"]["code"]) == (500, code)
        assert reply.json()["error"]["request_id"] == reply.headers["x-request-id"]
        assert "a detail" not in reply.text


def test_fetching_where_it_is_allowed_is_still_guarded(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path, online=True, max_concurrency=1)
    online = Runtime(settings, store=Store(settings, pull=False))
    online.start(("faces",))
    client = TestClient(create_app(online))
    for url in ("http://127.0.0.1:9/x", "http://localhost/x", "http://169.254.169.254/", "file:///etc/passwd", "x"):
        reply = client.post("/v1/faces", json={"image": {"url": url}})
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "fetch_refused"), url


def test_json_has_types(runtime: Runtime) -> None:
    runtime.start(("faces",))
    client = TestClient(create_app(runtime))
    for value in ("0.5", "0", ""):
        reply = client.post("/v1/faces", json={"image": {"bytes": ""}, "confidence": value})
        assert reply.json()["error"]["code"] == "invalid_option", value
    reply = client.post("/v1/faces", files={"image": b"text"}, data={"confidence": "0.5"})
    assert reply.json()["error"]["code"] == "unsupported_format"
