"""The container that SageMaker starts, as a real process: asked as SageMaker asks, and through it by boto3."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from sightline.models.store import ZOO
from tests.wire.pages import examples, run

pytestmark = pytest.mark.models

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
JPEG = {"Content-Type": "image/jpeg"}


class Container:
    """`sightline sagemaker serve` with the environment that SageMaker sets."""

    def __init__(self, log: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}", log
        command = [sys.executable, "-m", "sightline.cli", "sagemaker", "serve"]
        env = {**os.environ, "SM_MODEL_DIR": "/nowhere", "SAGEMAKER_BIND_TO_PORT": str(port), **environment}
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=env)

    def wait(self, seconds: float = 150) -> Container:
        """Until `/ping` says 200; every answer until then is 503."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                status = httpx.get(f"{self.url}/ping").status_code
            except httpx.ConnectError:
                status = None
            if status == 200:
                return self
            assert status in (None, 503)
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


StartContainer = Callable[..., Container]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartContainer]:
    running: list[Container] = []

    def begin(**environment: str) -> Container:
        running.append(Container(tmp_path_factory.mktemp("container") / "log", **environment))
        return running[-1]

    yield begin
    for container in running:
        if container.process.poll() is None:
            container.process.kill()
            container.process.wait()


@pytest.fixture(scope="module")
def container(start: StartContainer) -> Container:
    """Two tasks with the models of the image."""
    return start(SIGHTLINE_SAGEMAKER_TASKS="emotion,background").wait()


@pytest.fixture(scope="module")
def many(start: StartContainer) -> Container:
    """One that SageMaker loads models into."""
    return start(SAGEMAKER_MULTI_MODEL="true").wait()


@pytest.fixture(scope="module")
def photo(portrait_jpeg: Path) -> bytes:
    return portrait_jpeg.read_bytes()


def invoke(container: Container, content: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{container.url}/invocations", content=content, headers=named, timeout=60)


def test_every_body_gets_the_native_answer(
    container: Container, client: httpx.Client, photo: bytes, same_answer: Callable[..., Any]
) -> None:
    native = same_answer(client.post("/v1/emotion", files={"image": photo}).json())
    attributes = {ATTRIBUTES: "task=emotion"}
    url = f"{container.url}/invocations"
    as_json = {"image": {"bytes": base64.b64encode(photo).decode()}}
    for reply in (
        httpx.post(url, content=photo, headers={**JPEG, **attributes}, timeout=60),
        httpx.post(url, json=as_json, headers=attributes, timeout=60),
        httpx.post(url, files={"image": photo}, headers=attributes, timeout=60),
    ):
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json"), reply.text
        assert same_answer(reply.json()) == native


def test_accept_and_options(container: Container, client: httpx.Client, photo: bytes) -> None:
    chosen = {**JPEG, ATTRIBUTES: "task=background;color=%23204060", "Accept": "image/png"}
    reply = invoke(container, photo, **chosen)
    native = client.post("/v1/background", files={"image": photo}, data={"color": "#204060"})
    assert (reply.headers["content-type"], reply.content) == ("image/png", native.content)
    assert "coverage" in json.loads(reply.headers[ATTRIBUTES])


def test_errors_are_said(container: Container, photo: bytes, check_error: Callable[..., Any]) -> None:
    check_error(invoke(container, photo, **JPEG), 400, "invalid_option")
    check_error(invoke(container, photo, **JPEG, **{ATTRIBUTES: "task=nothing"}), 404, "unknown_task")
    check_error(invoke(container, b"text", **JPEG, **{ATTRIBUTES: "task=emotion"}), 415, "unsupported_format")
    check_error(invoke(container, photo, **JPEG, **{ATTRIBUTES: "task=similarity"}), 404, "unknown_task")
    empty = {"Content-Type": "application/json", ATTRIBUTES: "task=emotion"}
    check_error(invoke(container, b"{}", **empty), 400, "missing_input")
    large = invoke(container, b"x" * (25 * 2**20 + 1), **JPEG, **{ATTRIBUTES: "task=emotion"})
    check_error(large, 413, "image_too_large")


def test_a_model_folder_is_served_alone(start: StartContainer, tmp_path: Path, photo: bytes) -> None:
    shutil.copytree(ZOO / "emotion-small", tmp_path / "model")
    text = (tmp_path / "model/card.toml").read_text()
    (tmp_path / "model/card.toml").write_text(text.replace('name = "emotion-small"', 'name = "ours"'))
    # Processes, as on a machine of many cores: they have to find the folder's model too.
    chosen = {"SIGHTLINE_EXECUTOR": "processes", "SIGHTLINE_MAX_CONCURRENCY": "1"}
    alone = start(SM_MODEL_DIR=str(tmp_path / "model"), **chosen).wait()
    reply = invoke(alone, photo, **JPEG)
    assert reply.json()["model"]["name"] == "ours"
    assert [face["emotion"] for face in reply.json()["faces"]] == ["happy"]
    assert alone.stop() == 0


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SAGEMAKER_BIND_TO_PORT": "http"}, "SAGEMAKER_BIND_TO_PORT"),
        ({"SIGHTLINE_API_KEY": "a-key"}, "SIGHTLINE_API_KEY"),
        ({"SIGHTLINE_SAGEMAKER_TASKS": "emotio"}, "did you mean emotion"),
        ({"SM_MODEL_DIR": str(ZOO.parent / "web")}, "card.toml"),
    ],
)
def test_a_container_that_cannot_serve_ends(start: StartContainer, environment: dict[str, str], said: str) -> None:
    failed = start(**environment)
    assert failed.process.wait(120) in (1, 2)
    assert said in failed.log.read_text()
    assert "Traceback" not in failed.log.read_text()


def test_many_models(many: Container, tmp_path: Path, photo: bytes, check_error: Callable[..., Any]) -> None:
    for name in ("emotion-small", "lungs-bcdunet"):
        shutil.copytree(ZOO / name, tmp_path / name / "model")
    with httpx.Client(base_url=many.url, timeout=60) as asking:

        def load(name: str, folder: str) -> httpx.Response:
            return asking.post("/models", json={"model_name": name, "url": str(tmp_path / folder / "model")})

        assert load("a", "emotion-small").status_code == 200
        check_error(load("a", "emotion-small"), 409, "conflict")
        assert load("b", "lungs-bcdunet").status_code == 200
        assert [model["modelName"] for model in asking.get("/models").json()["models"]] == ["a", "b"]
        assert asking.post("/models/a/invoke", content=photo, headers=JPEG).json()["faces"][0]["emotion"] == "happy"
        assert "lungs" in asking.post("/models/b/invoke", content=photo, headers=JPEG).json()
        assert asking.delete("/models/a").status_code == asking.delete("/models/b").status_code == 200
        check_error(asking.post("/models/a/invoke", content=photo, headers=JPEG), 404, "not_found")
        check_error(asking.get("/models/a"), 404, "not_found")
        check_error(load("c", "nowhere"), 400, "invalid_request")


def test_a_model_without_room_is_507(start: StartContainer, check_error: Callable[..., Any]) -> None:
    small = start(SAGEMAKER_MULTI_MODEL="true", SIGHTLINE_SAGEMAKER_MAX_MEMORY="200").wait()
    order = {"model_name": "a", "url": str(ZOO / "emotion-small")}
    check_error(httpx.post(f"{small.url}/models", json=order, timeout=60), 507, "insufficient_memory")
    assert httpx.get(f"{small.url}/ping").status_code == 200


# --- through SageMaker ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint(container: Container) -> Iterator[str]:
    """What SageMaker does between a caller and the container: passes the body and four headers on, drops all others,
    and tells an error of the container as a ModelError."""

    class Front(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/endpoints/sightline/invocations"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            passed = {name: self.headers[name] for name in ("Content-Type", "Accept", ATTRIBUTES) if self.headers[name]}
            reply = httpx.post(f"{container.url}/invocations", content=body, headers=passed, timeout=60)
            kept = {name: reply.headers[name] for name in ("Content-Type", ATTRIBUTES) if name in reply.headers}
            status, content = reply.status_code, reply.content
            if status != 200:
                members = {"OriginalStatusCode": status, "OriginalMessage": reply.text, "Message": "of the container"}
                status, content = 424, json.dumps(members).encode()
                kept = {"x-amzn-ErrorType": "ModelError", "Content-Type": "application/json"}
            self.send_response(status)
            for name, value in {**kept, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_boto3_asks_through_an_endpoint(endpoint: str, photo: bytes) -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    asking = boto3.client("sagemaker-runtime", endpoint_url=endpoint, region_name="eu-west-1", **keys)
    named = {"EndpointName": "sightline", "Body": photo}
    # Without a ContentType the SDK sends none.
    reply = asking.invoke_endpoint(**named, CustomAttributes="task=emotion")
    assert [face["emotion"] for face in json.load(reply["Body"])["faces"]] == ["happy"]
    drawn = asking.invoke_endpoint(
        **named, ContentType="image/jpeg", Accept="image/jpeg", CustomAttributes="task=background;transparent=false"
    )
    assert drawn["ContentType"] == "image/jpeg"
    assert "coverage" in json.loads(drawn["CustomAttributes"])
    with pytest.raises(ClientError) as caught:
        asking.invoke_endpoint(**named, ContentType="image/jpeg", CustomAttributes="task=emotion;confidence=2")
    assert caught.value.response["OriginalStatusCode"] == 400
    assert json.loads(caught.value.response["OriginalMessage"])["error"]["code"] == "invalid_option"


def test_the_page_of_the_documentation(
    container: Container, many: Container, endpoint: str, portrait_jpeg: Path, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the examples need curl")
    shutil.copy(portrait_jpeg, tmp_path / "photo.jpg")
    shutil.copytree(ZOO / "emotion-small", tmp_path / "mine/model")
    (python,) = examples("sagemaker", "python")
    aws = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoint, "AWS_DEFAULT_REGION": "eu-west-1"}
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    assert run(python, "python", tmp_path, **{**os.environ, **aws, **keys}) == "['happy']\n"
    single, several = examples("sagemaker", "sh")
    told = run(single.replace("http://127.0.0.1:8080", container.url), "sh", tmp_path, **os.environ)
    assert '"emotion":"happy"' in told
    assert (tmp_path / "blurred.jpg").read_bytes()[:2] == b"\xff\xd8"
    example = several.replace("http://127.0.0.1:8080", many.url).replace("/opt/ml/models", str(tmp_path))
    told = run(example, "sh", tmp_path, **os.environ)
    assert '"emotion":"happy"' in told
    assert told.count('"modelName":"mine"') == 3
    assert httpx.get(f"{many.url}/models").json() == {"models": []}
