"""What docs/deploy/lambda.md tells to type, typed: the template checked, built, invoked, and served, by the SAM CLI."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LAMBDA = Path(__file__).parents[2] / "deploy" / "lambda"
PICTURE = (LAMBDA / "events" / "astronaut.jpg").read_bytes()
ENVIRON = {
    **os.environ,
    "SAM_CLI_TELEMETRY": "0",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def sam(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["sam", *arguments], cwd=LAMBDA, env=ENVIRON, capture_output=True, text=True)
    assert done.returncode == 0, f"sam {arguments}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    return done


def test_the_template_is_sound() -> None:
    assert "is a valid SAM Template" in sam("validate", "--lint").stdout
    done = subprocess.run(["cfn-lint", "template.yaml"], cwd=LAMBDA, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_template_is_safe() -> None:
    if shutil.which("checkov") is None:
        pytest.skip("checkov is not installed: make test-aws")
    command = [
        "checkov",
        "--file",
        "template.yaml",
        "--framework",
        "cloudformation",
        "--skip-download",
        "--output=json",
    ]
    done = subprocess.run(command, cwd=LAMBDA, capture_output=True, text=True)
    told = json.loads(done.stdout)
    failed = [f"{check['check_id']} {check['resource']}" for check in told["results"]["failed_checks"]]
    assert failed == []
    assert told["summary"]["passed"] > 10


@pytest.fixture(scope="module")
def built() -> None:
    sam("build", "FaceSentimentFunction")


def invoke(event: str) -> dict[str, Any]:
    done = sam("local", "invoke", "FaceSentimentFunction", "--event", f"events/{event}.json")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.mark.usefixtures("built")
def test_local_invoke() -> None:
    direct = invoke("direct")
    assert [face["emotion"] for face in direct["faces"]] == ["happy"]
    for event in ("event", "rest", "alb"):
        reply = invoke(event)
        assert reply["statusCode"] == 200, reply
        assert json.loads(reply["body"])["faces"] == direct["faces"]


@pytest.fixture(scope="module")
def api(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `sam local start-api`."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    log = tmp_path_factory.mktemp("sam") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            ["sam", "local", "start-api", "--port", str(port)], cwd=LAMBDA, env=ENVIRON, stdout=out, stderr=out
        )
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(60)


def call(address: str, body: bytes | None = None, kind: str = "") -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(address, body, {"Content-Type": kind} if kind else {})
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_local_api(api: str) -> None:
    assert call(f"{api}/") == (200, {"message": "Ok"})
    for path in ("/predict", "/", "/v1/emotion"):
        status, answer = call(f"{api}{path}", PICTURE, "image/jpeg")
        assert (status, [face["emotion"] for face in answer["faces"]]) == (200, ["happy"]), path
    form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + PICTURE + b"\r\n--b--\r\n"
    assert call(f"{api}/predict", form, "multipart/form-data; boundary=b")[1]["faces"]
    status, told = call(f"{api}/predict", b"no picture", "image/jpeg")
    assert (status, told["error"]["code"]) == (415, "unsupported_format")
    status, told = call(f"{api}/predict", PICTURE[:3000], "image/jpeg")
    assert (status, told["error"]["code"]) == (400, "invalid_image")
