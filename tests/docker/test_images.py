"""The images: small, without a compiler, and at work read-only, without rights, within their memory."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.docker.containers import Build, Start, added_megabytes, ask, docker

EVENTS = Path(__file__).parents[2] / "deploy" / "lambda" / "events"
PICTURE = (EVENTS / "astronaut.jpg").read_bytes()
TOOLS = "for tool in cc gcc g++ clang make ld cmake; do command -v $tool; done; true"


def test_the_server(image: Build, start: Start) -> None:
    name = image("server")
    assert added_megabytes(name) < 500
    container = start(name, 8000)
    container.wait_healthy()
    answer = ask(f"{container.address()}/v1/emotion", PICTURE)
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]
    assert ask(f"{container.address()}/v1/background", PICTURE)["coverage"] > 0.1
    assert docker("exec", container.name, "id", "-u").strip() == "10001"
    assert docker("exec", container.name, "sh", "-c", TOOLS) == ""
    assert container.inspect("{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}}") == f"true {1 << 30}"
    assert container.inspect("{{.State.OOMKilled}}") == "false"
    begun = time.monotonic()
    docker("stop", "--time=30", container.name)
    assert time.monotonic() - begun < 10
    assert container.inspect("{{.State.ExitCode}}") == "0"


def test_a_server_with_a_key_asks_for_it(image: Build, start: Start) -> None:
    container = start(image("server"), 8000, "--env=SIGHTLINE_API_KEY=secret")
    container.wait_healthy()
    address = f"{container.address()}/v1/emotion"
    assert ask(address, PICTURE, **{"X-API-Key": "secret"})["faces"]
    told = subprocess.run(["curl", "-s", "-F", f"image=@{EVENTS / 'astronaut.jpg'}", address], capture_output=True)
    assert json.loads(told.stdout)["error"]["code"] == "unauthorized"


def test_a_server_without_its_models_from_s3_does_not_start(image: Build) -> None:
    command = ["docker", "run", "--rm", "--network=none", "--env=SIGHTLINE_MODELS_FROM=s3://my-models/prod"]
    region = ["--env=AWS_DEFAULT_REGION=eu-central-1", "--env=AWS_ACCESS_KEY_ID=x", "--env=AWS_SECRET_ACCESS_KEY=x"]
    done = subprocess.run([*command, *region, image("server")], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("[source_failed]")
    assert "Traceback" not in done.stderr


def test_sagemakers_container(image: Build, start: Start) -> None:
    container = start(image("sagemaker"), 8080)
    container.wait_healthy()
    command = ["curl", "-s", "--data-binary", f"@{EVENTS / 'astronaut.jpg'}", "-H", "Content-Type: image/jpeg"]
    chosen = ["-H", "X-Amzn-SageMaker-Custom-Attributes: task=emotion", f"{container.address()}/invocations"]
    answer = json.loads(subprocess.run([*command, *chosen], capture_output=True, check=True).stdout)
    assert [face["emotion"] for face in answer["faces"]] == ["happy"]
    docker("stop", "--time=30", container.name)
    assert container.inspect("{{.State.ExitCode}}") == "0"


def test_the_lambda_function(image: Build) -> None:
    name = image("lambda")
    assert added_megabytes(name) < 350
    # As Lambda runs it: any user, nothing to write to but /tmp, no network needed.
    script = (
        "import json, resource, sys; from sightline.protocols.lambda_ import handler; "
        "print(json.dumps({'reply': handler(json.load(sys.stdin)), "
        "'megabytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "
        "'web': sorted({m.split('.')[0] for m in sys.modules} & {'fastapi', 'starlette', 'uvicorn'})}))"
    )
    hardened = ["--read-only", "--tmpfs=/tmp", "--user=993:990", "--network=none", "--memory=512m", "--cap-drop=ALL"]
    command = ["docker", "run", "--rm", "-i", *hardened, "--entrypoint=/opt/sightline/bin/python", name, "-c", script]
    done = subprocess.run(command, input=(EVENTS / "event.json").read_bytes(), capture_output=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["reply"]["statusCode"] == 200
    assert [face["emotion"] for face in json.loads(told["reply"]["body"])["faces"]] == ["happy"]
    assert json.loads(told["reply"]["body"])["models"][1]["name"] == "blazeface-full"
    assert told["megabytes"] < 300
    assert told["web"] == []
    tools = docker("run", "--rm", "--entrypoint=sh", name, "-c", TOOLS)
    assert tools == ""
