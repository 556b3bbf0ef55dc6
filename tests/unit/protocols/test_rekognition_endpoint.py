"""Rekognition's protocol where something is amiss inside: in process, without weights."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.errors import ModelError, ModelMissing, StoreUnavailable
from sightline.models.store import Store
from sightline.protocols.app import create_app
from sightline.serving.runtime import Runtime
from sightline.settings import Settings

pytest.importorskip("botocore", reason="botocore is not installed")

from sightline.protocols.rekognition.operations import HANDLERS, Handler

HEADERS = {"X-Amz-Target": "RekognitionService.ListCollections", "Content-Type": "application/x-amz-json-1.1"}
# 80 x 80 black pixels.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAFAAAABQCAAAAACreq1xAAAAHUlEQVR4nO3B"
    "gQAAAADDoPlT3+AEVQEAAAAAAPAMGVAAAbY8GOoAAAAASUVORK5CYII="
)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    settings = Settings(cache=tmp_path, offline=True, max_concurrency=1, collections=f"sqlite:{tmp_path / 'faces.db'}")
    return Runtime(settings, store=Store(settings, pull=False))


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (StoreUnavailable("the database does not answer"), 500, "InternalServerError"),
        (ModelError("the card is wrong"), 500, "InternalServerError"),
        (ModelMissing("not here"), 400, "AccessDeniedException"),
        (ZeroDivisionError("secret detail"), 500, "InternalServerError"),
    ],
)
def test_an_error_inside_is_told_in_the_protocols_form(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, told: str
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setitem(HANDLERS, "ListCollections", Handler(fail))  # type: ignore[arg-type]
    response = TestClient(create_app(runtime), client=("127.0.0.1", 1), base_url="http://127.0.0.1").post(
        "/", content=b"{}", headers=HEADERS
    )
    assert (response.status_code, response.json()["__type"]) == (status, told)
    assert response.headers["x-amzn-requestid"] == response.headers["x-request-id"]
    assert "secret detail" not in response.text


def test_a_reply_that_does_not_fit_its_shape_is_not_sent(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS, "ListCollections", Handler(lambda *_: {"Collections": []}))  # type: ignore[arg-type]
    client = TestClient(create_app(runtime), client=("127.0.0.1", 1), base_url="http://127.0.0.1")
    response = client.post("/", content=b"{}", headers=HEADERS)
    assert (response.status_code, response.json()["__type"]) == (500, "InternalServerError")


def test_while_models_load_clients_are_told_to_come_again(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def load(name: str) -> Any:
        loading.set()
        assert go_on.wait(20)
        raise ModelMissing("never mind")

    monkeypatch.setattr(runtime, "_load", load)
    headers = {**HEADERS, "X-Amz-Target": "RekognitionService.DetectFaces"}
    with TestClient(create_app(runtime, ("faces",)), client=("127.0.0.1", 1), base_url="http://127.0.0.1") as client:
        assert loading.wait(20)
        # The one worker is not what loads here: the question is answered while it does.
        response = client.post("/", json={"Image": {"Bytes": PNG}}, headers=headers)
        go_on.set()
    assert (response.status_code, response.json()["__type"]) == (500, "ThrottlingException")
    assert "loaded" in response.json()["message"]


def test_answers_are_counted_by_operation(runtime: Runtime) -> None:
    client = TestClient(create_app(runtime), client=("127.0.0.1", 1), base_url="http://127.0.0.1")
    client.post("/", content=b"{}", headers=HEADERS)
    client.post("/", content=b'{"NextToken": 1}', headers=HEADERS)
    counted = client.get("/metrics").text
    assert 'sightline_answers_total{code="ok",task="rekognition.ListCollections"} 1.0' in counted
    assert 'sightline_answers_total{code="InvalidParameterException",task="rekognition.ListCollections"} 1.0' in counted


def test_the_stages_of_an_operation_are_told(runtime: Runtime) -> None:
    runtime.start(("faces",))  # the Haar cascade comes with OpenCV
    client = TestClient(create_app(runtime), client=("127.0.0.1", 1), base_url="http://127.0.0.1")
    headers = {**HEADERS, "X-Amz-Target": "RekognitionService.DetectFaces"}
    response = client.post("/", json={"Image": {"Bytes": PNG}}, headers=headers)
    assert response.status_code == 200, response.text
    stages = [stage.split(";")[0] for stage in response.headers["server-timing"].split(", ")]
    assert stages == ["queue", "decode", "infer", "encode", "total"]
    refused = client.post("/", content=b"{}", headers=headers)
    assert refused.headers["server-timing"].startswith("total;dur=")
