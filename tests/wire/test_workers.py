"""Worker processes, and models that change under a running server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import sightline
from tests.conftest import Server, StartServer


@pytest.mark.models
def test_worker_processes_answer_alike_and_survive_a_crash(start_server: StartServer, portrait_jpeg: Path) -> None:
    server = start_server("emotion", SIGHTLINE_EXECUTOR="processes", SIGHTLINE_MAX_CONCURRENCY="2")
    threads = start_server("emotion", SIGHTLINE_EXECUTOR="threads")

    def ask(where: Server, **options: Any) -> Any:
        return httpx.post(f"{where.url}/v1/emotion", files={"image": portrait_jpeg.read_bytes()}, timeout=60, **options)

    mine, theirs = ask(server).json(), ask(threads).json()
    assert mine["faces"] == theirs["faces"]
    assert mine["model"] == theirs["model"]
    drawn = ask(server, headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    assert json.loads(drawn.headers["x-sightline-answer"])["model"] == mine["model"]
    bad = httpx.post(f"{server.url}/v1/emotion", files={"image": b"no picture"})
    assert bad.json()["error"]["code"] == "unsupported_format"

    for child in _children(server.process.pid):
        os.kill(child, signal.SIGKILL)
    codes = [ask(server).status_code for _ in range(6)]
    assert codes[-2:] == [200, 200]
    assert codes.count(500) <= 2  # the questions that found their worker dead
    assert server.stop() == 0
    assert threads.stop() == 0


def _children(pid: int) -> list[int]:
    """The worker processes of a server: its children that run multiprocessing's spawned main."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and b"spawn_main" in line:
            found.append(int(folder.name))
    assert found
    return found


@pytest.mark.models
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_hangup_reloads_the_models_that_changed(
    start_server: StartServer, portrait_jpeg: Path, tmp_path: Path, executor: str
) -> None:
    """A user's model of the shipped one's name comes into its place; questions go on meanwhile."""
    server = start_server(
        "emotion", SIGHTLINE_MODELS=str(tmp_path), SIGHTLINE_MAX_CONCURRENCY="2", SIGHTLINE_EXECUTOR=executor
    )
    picture = {"image": portrait_jpeg.read_bytes()}
    before = httpx.post(f"{server.url}/v1/emotion", files=picture, timeout=60).json()["model"]

    shipped = Path(sightline.__file__).parent / "zoo" / "emotion-small"
    mine = tmp_path / "emotion-small"
    shutil.copytree(shipped, mine)
    card = mine / "card.toml"
    card.write_text(card.read_text().replace(f'version = "{before["version"]}"', 'version = "77"'))
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while True:
        reply = httpx.post(f"{server.url}/v1/emotion", files=picture, timeout=60)
        assert reply.status_code == 200
        if reply.json()["model"]["version"] == "77":
            break
        assert time.monotonic() < deadline, server.log.read_text()
    card.write_text("torn")
    server.process.send_signal(signal.SIGHUP)
    while "not reloaded" not in server.log.read_text():
        assert time.monotonic() < deadline + 60
        time.sleep(0.05)
    assert httpx.post(f"{server.url}/v1/emotion", files=picture, timeout=60).json()["model"]["version"] == "77"
    assert server.stop() == 0
