"""One client's connection: what uvicorn's own leaves open to those who send slowly, or nothing.

uvicorn waits for ever for a connection's first request, and for the rest of a request's headers. As with it, and with
nginx, a client that closes its sending half counts as gone: from a closed connection that cannot be told apart.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SPARE_FILES = 128
"""File descriptors kept for what is not a connection: weights, databases, pipes to workers."""


def allow_connections(wanted: int) -> int:
    """Raise the number of files this process may open as far as the system lets it, and say how many connections
    leave room for other files; at most `wanted`, where that is not 0."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = max(1, hard - SPARE_FILES)
    return min(wanted, room) if wanted else room


class Connection(HttpToolsProtocol):
    """A connection that must send its next request's headers within `header_seconds`, and one of at most
    `most_connections`. A subclass made by `limited` carries the two numbers, since uvicorn makes the objects."""

    header_seconds = 10.0
    most_connections = 10_000

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        # The first byte of a request ends the keep-alive time; from it on the headers' own time runs.
        if self._headers_due is None and self._at_rest():
            self._expect_headers()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._forget_headers()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_headers()
        super().connection_lost(exc)

    def _at_rest(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _forget_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None


def limited(seconds: float, most: int) -> type[Connection]:
    """The class of connections under these limits."""
    return type("LimitedConnection", (Connection,), {"header_seconds": seconds, "most_connections": most})
