"""Containers, and what is asked of them."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

Build = Callable[[str], str]
"""Builds a target; the name of its image."""
Start = Callable[..., "Container"]
"""Runs an image, with the port it serves on and further options."""


def docker(*arguments: str | Path, check: bool = True) -> str:
    """The output of `docker ARGUMENTS`."""
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    assert not check or done.returncode == 0, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def added_megabytes(image: str, base: str = "python:3.11-slim") -> float:
    """What an image holds on top of its base, uncompressed, in 10^6 bytes."""
    sizes = [int(docker("image", "inspect", "--format={{.Size}}", name)) for name in (image, base)]
    return (sizes[0] - sizes[1]) / 1e6


@dataclass(frozen=True)
class Container:
    """A container that serves."""

    name: str
    port: int

    def inspect(self, template: str) -> str:
        return docker("inspect", f"--format={template}", self.name).strip()

    def address(self) -> str:
        place = docker("port", self.name, str(self.port)).split()[-1]
        return f"http://{place}"

    def log(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def wait_healthy(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while self.inspect("{{.State.Health.Status}}") != "healthy":
            assert self.inspect("{{.State.Running}}") == "true", self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.5)


def ask(address: str, picture: bytes, **headers: str) -> dict[str, object]:
    """POST the bytes of a picture as a form, and read the JSON."""
    body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b", "Accept": "application/json"}
    request = urllib.request.Request(address, body, {**kind, **headers})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return dict(json.load(reply))
