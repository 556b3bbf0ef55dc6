"""A file server that can be told to misbehave, and cards that point at it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sightline.models.card import Card


@dataclass
class Site:
    """What the server serves and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    wrong_range: bool = False
    """Answer the next request for a range with the range that begins a byte later."""
    break_after: list[int] = field(default_factory=list)
    """For each of the next answers: how many bytes to send before the connection is cut."""
    delay: float = 0.0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of each request."""
    authorization: list[str | None] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, wanted = self.site, self.headers.get("Range")
        site.requests.append((self.path, wanted))
        site.authorization.append(self.headers.get("Authorization"))
        path = self.path.partition("?")[0]
        body = site.files.get(path)
        if body is None:
            self.send_error(404)
            return
        if site.delay:
            threading.Event().wait(site.delay)
        start, end = 0, len(body)
        if wanted and site.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if first == "":
                start = max(0, len(body) - int(last))
            else:
                start, end = int(first), min(int(last) + 1, len(body)) if last else len(body)
            if site.wrong_range:
                start, site.wrong_range = start + 1, False
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", site.kinds.get(path, "application/octet-stream"))
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        part = body[start:end]
        if site.break_after:
            part = part[: site.break_after.pop(0)]
        self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    handler = type("Handler", (_Handler,), {"site": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def bytes_of_weights() -> bytes:
    """A megabyte that repeats nowhere, so that a wrong offset cannot go unnoticed."""
    return b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(1 << 15))


def _file(source: str | None, data: bytes, path: str = "model.bin") -> dict[str, Any]:
    entry = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return entry if source is None else {**entry, "source": source}


@pytest.fixture
def file_entry() -> Callable[..., dict[str, Any]]:
    """`(source, data, path="model.bin")` as a card's `[[files]]` table."""
    return _file


@pytest.fixture
def make_card() -> Callable[..., Card]:
    """`(source, data, directory=Path(), **members)`: a card of one file, in memory."""

    def make(source: str | None, data: bytes, directory: Path = Path(), **members: Any) -> Card:
        table = {
            "name": "fake",
            "version": "1.0",
            "tasks": ["faces"],
            "architecture": "fake",
            "engine": "onnx",
            "summary": "A model for tests.",
            "training_data": "None.",
            "licence": {"spdx": "MIT", "holder": "Nobody"},
            "input": {"width": 4, "height": 4},
            "files": [_file(source, data)],
        }
        return Card.parse({**table, **members}, directory)

    return make


@pytest.fixture
def write_card() -> Callable[..., Path]:
    """`(folder, name, files, version="1.0")`: writes `folder / name / card.toml`."""

    def write(folder: Path, name: str, files: list[dict[str, Any]], version: str = "1.0") -> Path:
        lines = [f'name = "{name}"', f'version = "{version}"', 'tasks = ["faces"]', 'architecture = "fake"']
        lines += ['engine = "onnx"', 'summary = "A model for tests."', 'training_data = "None."']
        for file in files:
            lines.append("[[files]]")
            lines += [f"{key} = {value}" if key == "size" else f'{key} = "{value}"' for key, value in file.items()]
        lines += ["[licence]", 'spdx = "MIT"', 'holder = "Nobody"', "[input]", "width = 4", "height = 4"]
        path = folder / name / "card.toml"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write
