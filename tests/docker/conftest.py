"""Real images on a real Docker daemon. `make test-aws` sets up what these need; elsewhere they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.containers import Build, Container, Start, docker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker("docker")
        item.add_marker(pytest.mark.timeout(1800))
        if not os.environ.get("SIGHTLINE_TEST_DOCKER"):
            item.add_marker(pytest.mark.skip(reason="needs a Docker daemon: make test-aws"))


@pytest.fixture(scope="session")
def image() -> Build:
    """Builds a target from what `deploy/docker/prepare` laid ready, without network; the name of its image."""

    def build(target: str) -> str:
        name = f"sightline:{target}"
        docker("build", "--network=none", "--file=deploy/docker/Dockerfile", f"--target={target}", f"--tag={name}", ".")
        return name

    return build


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs an image with a read-only root, no rights and little memory; every container is removed at the end."""
    running: list[str] = []

    def run(image: str, port: int, *options: str) -> Container:
        hardened = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1g"]
        name = docker("run", "--detach", *hardened, f"--publish=127.0.0.1::{port}", *options, image).strip()
        running.append(name)
        return Container(name, port)

    yield run
    for name in running:
        docker("rm", "--force", name)
