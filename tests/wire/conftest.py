"""What the tests of the wire share: one client, the shape of every error, and the command as a process."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def client(server_url: str) -> Iterator[httpx.Client]:
    """A client of the one server that serves every task whose models are here."""
    with httpx.Client(base_url=server_url, timeout=60) as made:
        yield made


CheckError = Callable[[httpx.Response, int, str], dict[str, str]]


@pytest.fixture(scope="session")
def check_error() -> CheckError:
    """Holds a response to the contract of errors: status, stable code, one line, the request's id, no traceback."""

    def check(response: httpx.Response, status: int, code: str) -> dict[str, str]:
        assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
        members = response.json()
        assert set(members) == {"error"}
        error: dict[str, str] = members["error"]
        assert set(error) == {"code", "message", "request_id"}
        assert error["code"] == code, error
        assert error["request_id"] == response.headers["x-request-id"]
        assert error["message"]
        assert len(error["message"].splitlines()) == 1
        assert "Traceback" not in response.text
        assert 'File "' not in response.text
        return error

    return check


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs `sightline ARGUMENTS` as a process of its own."""
    elsewhere = tmp_path_factory.mktemp("cwd")

    def run(*arguments: str | Path, cwd: Path = elsewhere, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sightline.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "COLUMNS": "100", **environment},
            timeout=120,
        )

    return run


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A machine without network and without pulled models."""
    return {"SIGHTLINE_CACHE": str(tmp_path_factory.mktemp("empty")), "SIGHTLINE_OFFLINE": "1"}


@pytest.fixture(scope="session")
def three_faces(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> list[Path]:
    """An anchor, a mirrored copy of the same face, and another cut of it."""
    folder = tmp_path_factory.mktemp("three")
    pictures = {"anchor": portrait, "mirrored": portrait[:, ::-1], "cut": portrait[:300, 60:400]}
    paths = []
    for name, pixels in pictures.items():
        paths.append(folder / f"{name}.png")
        Image.fromarray(np.ascontiguousarray(pixels)).save(paths[-1])
    return paths


@pytest.fixture(scope="session")
def declared_huge() -> bytes:
    """A PNG of a few bytes that declares 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="session")
def same_answer() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """An answer without what may differ from one time to the next."""

    def without_timings(members: dict[str, Any]) -> dict[str, Any]:
        assert set(members["timings_ms"]) == {"decode", "queue", "infer", "total"}
        return {name: value for name, value in members.items() if name != "timings_ms"}

    return without_timings
