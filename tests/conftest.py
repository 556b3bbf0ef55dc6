"""What many tests share: real servers, real weights, real pictures."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import skimage.data
from hypothesis import HealthCheck, settings
from PIL import Image

from sightline.models.store import USABLE, Store
from sightline.settings import Settings

# A busy machine is no reason to fail: no property test here is about time.
settings.register_profile("sightline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sightline")

SHARED = Path(os.environ.get("SIGHTLINE_SHARED", Path(__file__).parents[2] / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of pulled weights are skipped, with the reason, only where the network is forbidden and they are absent."""
    if os.environ.get("SIGHTLINE_OFFLINE") not in ("1", "true"):
        return
    store = Store(Settings.from_env(), pull=False)
    absent = [card.name for card in store.cards() if store.state(card) not in USABLE]
    if absent:
        skip = pytest.mark.skip(reason=f"offline, and not pulled: {', '.join(absent)}")
        for item in items:
            if item.get_closest_marker("models") or item.get_closest_marker("browser"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of research data, beside the checkout; tests that need it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no research data at {SHARED}")
    return SHARED / "data"


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A real photo of one person: Eileen Collins, NASA, public domain. 512 x 512 x 3 RGB uint8."""
    return skimage.data.astronaut()


@pytest.fixture(scope="session")
def portrait_jpeg(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "portrait.jpg"
    Image.fromarray(portrait).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def no_people_jpeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photo without people: a cup of coffee."""
    path = tmp_path_factory.mktemp("pictures") / "coffee.jpg"
    Image.fromarray(skimage.data.coffee()).save(path, quality=95)
    return path


@dataclass(frozen=True)
class Server:
    """A running `sightline serve` process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, grace: float = 20) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(grace)


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts `sightline serve ARGUMENTS` on a free port and waits until it is ready; all are stopped at the end."""
    running: list[Server] = []

    def start(*arguments: str, wait: bool = True, **environment: str) -> Server:
        log = tmp_path_factory.mktemp("server") / "log"
        command = [sys.executable, "-m", "sightline.cli", "serve", "--port", "0", *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})
        url = _address(log, process)
        server = Server(url, process, log)
        running.append(server)
        if wait:
            _wait_ready(server)
        return server

    yield start
    for server in running:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="session")
def server_url(start_server: StartServer) -> str:
    """The address of one real server with every task whose models are here."""
    return start_server().url


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path."""
    for name in ("chromium", "google-chrome", "chromium-browser"):
        path = shutil.which(name)
        if path:
            return path
    pytest.fail("no Chromium on this machine; `make chromium` installs it")


def _address(log: Path, process: subprocess.Popen[bytes], seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = re.search(r"listens on (http://\S+)", log.read_text())
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def _wait_ready(server: Server, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if httpx.get(f"{server.url}/readyz").status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError(f"the server did not become ready:\n{server.log.read_text()}")
