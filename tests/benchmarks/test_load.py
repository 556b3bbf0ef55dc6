"""The load generator tells the truth: counts, statuses, lost connections, and waits that it caused itself."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.load import Job, Load, quantile
from serving.pictures import post
from starlette.formparsers import MultiPartParser

REQUEST = post("/x", b"a" * 300_000, "text/plain")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of real sockets that answers each request with the next of the replies, one request at a time;
    None breaks the connection off. Gives the port."""
    listeners: list[socket.socket] = []

    def start(*replies: bytes | None, seconds: float = 0.0) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        listeners.append(listener)
        turn, lock = iter(range(10**9)), threading.Lock()

        def talk(connection: socket.socket) -> None:
            with connection:
                while True:
                    left = len(REQUEST)
                    while left:
                        piece = connection.recv(min(left, 65536))
                        if not piece:
                            return
                        left -= len(piece)
                    with lock:
                        time.sleep(seconds)
                        reply = replies[next(turn) % len(replies)]
                    if reply is None:
                        return
                    connection.sendall(reply)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.close()


def test_counts_every_request(serve: Serve) -> None:
    result = Load(Job(serve(OK), [REQUEST], 4, 60, 0, limit=50)).run()
    assert (result.sent, result.ok, result.errors) == (50, 50, {})
    assert 0 < result.p50_ms <= result.p99_ms <= result.max_ms


def test_errors_are_counted_apart(serve: Serve) -> None:
    result = Load(Job(serve(OK, BUSY), [REQUEST], 2, 60, 0, limit=40)).run()
    assert (result.ok, result.errors) == (20, {"503": 20})
    assert {o.body for o in result.outcomes if o.status == 503} == {b"busy"}


def test_broken_connections_are_errors_and_the_run_goes_on(serve: Serve) -> None:
    result = Load(Job(serve(OK, None), [REQUEST], 1, 60, 0, limit=10)).run()
    assert result.ok == 5
    assert sum(result.errors.values()) == 5


def test_chunked_replies_are_read_whole(serve: Serve) -> None:
    result = Load(Job(serve(CHUNKED), [REQUEST], 2, 60, 0, limit=20)).run()
    assert (result.ok, result.errors) == (20, {})


def test_requests_are_sent_in_the_order_that_was_asked(serve: Serve) -> None:
    job = Job(serve(OK), [REQUEST] * 3, 1, 60, 0, limit=6, order=[2, 0])
    assert [outcome.request for outcome in Load(job).run().outcomes] == [2, 0, 2, 0, 2, 0]


def test_an_open_loop_counts_the_wait_from_the_arrival(serve: Serve) -> None:
    """The server needs 20 ms one at a time, requests come each 5 ms: those that come late wait for all before them,
    which a closed loop of the same connections would hide."""
    result = Load(Job(serve(OK, seconds=0.02), [REQUEST], 2, 1.0, 0, rate=200)).run()
    assert result.max_ms > 300
    assert result.ok < 60


@given(st.lists(st.floats(0, 1e3), min_size=1), st.floats(0.01, 1))
def test_quantile_is_the_least_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values)


def test_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile([], 0.5))


async def _parse(request: bytes) -> dict[str, object]:
    from starlette.datastructures import Headers, UploadFile

    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    headers = Headers(raw=[(name.lower(), value) for name, value in lines])
    assert int(headers["content-length"]) == len(body)

    async def stream():  # type: ignore[no-untyped-def]
        yield body

    form = await MultiPartParser(headers, stream()).parse()
    return {k: await v.read() if isinstance(v, UploadFile) else v for k, v in form.multi_items()}


def test_the_requests_are_the_multipart_that_servers_read() -> None:
    import asyncio

    from serving.pictures import multipart

    request = multipart("/v1/x", {"image": b"\r\n--\x00\xff", "confidence": "0.5"})
    assert asyncio.run(_parse(request)) == {"image": b"\r\n--\x00\xff", "confidence": "0.5"}
