"""A load generator in a process of its own: HTTP/1.1 over keep-alive connections, one thread, epoll, requests built
beforehand. It does nothing between two requests but keep two times, so that the server is what is measured;
`serving_vs_peers.py` measures its ceiling against a server that does nothing.

    python benchmarks/serving/load.py < job.json > result.json
"""

from __future__ import annotations

import base64
import collections
import json
import math
import random
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What to send. `rate` 0: each connection asks again as soon as it has its answer (closed loop); otherwise
    requests arrive by chance (Poisson) at `rate` a second, whatever the server does, and a latency counts from the
    arrival, also where no connection was free (open loop)."""

    port: int
    requests: list[bytes]
    clients: int
    seconds: float
    warmup: float = 1.0
    rate: float = 0.0
    timeout: float = 60.0
    limit: int = 0
    """Stop after this many requests (0: by time alone)."""
    order: list[int] = field(default_factory=list)
    """Which request to send each time, over and over (empty: in turn)."""


@dataclass
class Outcome:
    """One answered request: which of the job's requests, the status (0: none came), seconds from its arrival and
    from the start of the run, and the body of an error."""

    request: int
    status: int
    latency: float
    at: float
    body: bytes = b""


@dataclass
class Result:
    """What the client saw between the end of the warm-up and the end of the run."""

    seconds: float
    sent: int
    ok: int
    per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    errors: dict[str, int]
    client_cpu: float
    """Share of one core that this client used."""
    outcomes: list[Outcome] = field(default_factory=list, repr=False)


class Connection:
    """One keep-alive connection: sends one request, reads one reply, says when it is whole."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.request, self.due = -1, 0.0
        self.unsent = memoryview(b"")
        self._reply = bytearray()
        self._end: int | None = None
        self._body = 0
        self._chunked = False

    def begin(self, request: int, content: bytes, due: float) -> None:
        self.request, self.due = request, due
        self.unsent = memoryview(content)
        self._reply.clear()
        self._end, self._chunked = None, False

    def send(self) -> bool:
        """Whether all of the request is sent."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return False
        return True

    def receive(self) -> tuple[int, bytes, bool] | None:
        """Status, body and whether the connection stays open, once the reply is whole. Raises `OSError`."""
        try:
            piece = self.socket.recv(1 << 18)
        except BlockingIOError:
            return None
        if not piece:
            raise ConnectionResetError("closed by the server")
        self._reply += piece
        if self._end is None and not self._chunked:
            head_end = self._reply.find(b"\r\n\r\n")
            if head_end < 0:
                return None
            head = bytes(self._reply[:head_end]).lower()
            self._body = head_end + 4
            if (start := head.find(b"content-length:")) >= 0:
                self._end = self._body + int(head[start + 15 :].split(b"\r\n", 1)[0])
            elif b"transfer-encoding: chunked" in head:
                self._chunked = True
            else:
                raise ConnectionResetError("a reply without a length")
        whole = self._reply.endswith(b"0\r\n\r\n") if self._chunked else len(self._reply) >= (self._end or 0)
        if not whole:
            return None
        head = bytes(self._reply[: self._body]).lower()
        return int(head[9:12]), bytes(self._reply[self._body :]), b"connection: close" not in head

    def close(self) -> None:
        self.socket.close()


class Load:
    """One run of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._selector = selectors.EpollSelector()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._waiting: collections.deque[float] = collections.deque()
        self._next = 0
        self._random = random.Random(20)
        self._outcomes: list[Outcome] = []

    def run(self) -> Result:
        job, arrive = self._job, 0.0
        self._started = now = time.perf_counter()
        measured_from, ends = now + job.warmup, now + job.warmup + job.seconds
        arrive = now
        cpu_at = None
        self._idle = [Connection(job.port) for _ in range(job.clients)]
        while True:
            now = time.perf_counter()
            if cpu_at is None and now >= measured_from:
                cpu_at = (time.process_time(), now)
            if now >= ends or (job.limit and self._next >= job.limit and not self._busy):
                break
            if job.rate:
                while arrive <= now:
                    self._waiting.append(arrive)
                    arrive += self._random.expovariate(job.rate)
                while self._waiting and self._idle:
                    self._send(self._waiting.popleft())
                pause = arrive - now
            else:
                while self._idle and not (job.limit and self._next >= job.limit):
                    self._send(time.perf_counter())
                pause = ends - now
            for key, mask in self._selector.select(min(max(pause, 0), 0.25)):
                self._serve(key.data, mask)
            self._give_up_on_late()
        cpu, since = cpu_at or (0.0, self._started)
        share = (time.process_time() - cpu) / max(now - since, 1e-9)
        # What was asked but not answered in an open loop counts with the time that it has waited so far.
        late = [*self._waiting, *(c.due for c in self._busy)] if job.rate else []
        for connection in [*self._idle, *self._busy]:
            connection.close()
        return summarise(self._outcomes, late, measured_from, now, share, self._started)

    def _send(self, due: float) -> None:
        connection = self._idle.pop()
        order = self._job.order
        index = order[self._next % len(order)] if order else self._next % len(self._job.requests)
        self._next += 1
        connection.begin(index, self._job.requests[index], due)
        self._busy.add(connection)
        try:
            done = connection.send()
        except OSError:
            self._lost(connection, "lost")
            return
        events = selectors.EVENT_READ if done else selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(connection.socket, events, connection)

    def _serve(self, connection: Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE and connection.send():
                self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            reply = connection.receive() if mask & selectors.EVENT_READ else None
        except OSError as error:
            self._lost(connection, type(error).__name__)
            return
        if reply is None:
            return
        status, body, stays = reply
        now = time.perf_counter()
        kept = body if status != 200 else b""
        self._outcomes.append(
            Outcome(connection.request, status, now - connection.due, now - self._started, kept[:2000])
        )
        self._selector.unregister(connection.socket)
        self._busy.discard(connection)
        if stays and not connection.unsent:
            self._idle.append(connection)
        else:
            connection.close()
            self._idle.append(Connection(self._job.port))

    def _lost(self, connection: Connection, why: str) -> None:
        now = time.perf_counter()
        self._outcomes.append(Outcome(connection.request, 0, now - connection.due, now - self._started, why.encode()))
        if connection.socket.fileno() in self._selector.get_map():
            self._selector.unregister(connection.socket)
        self._busy.discard(connection)
        connection.close()
        self._idle.append(Connection(self._job.port))

    def _give_up_on_late(self) -> None:
        now = time.perf_counter()
        for connection in [c for c in self._busy if now - c.due > self._job.timeout]:
            self._lost(connection, "timeout")


def summarise(
    outcomes: list[Outcome], late: list[float], begin: float, end: float, cpu: float, started: float
) -> Result:
    """The figures of the outcomes between `begin` and `end`; `late` are arrivals still without an answer."""
    counted = [o for o in outcomes if started + o.at >= begin]
    good = sorted([o.latency for o in counted if o.status == 200] + [end - due for due in late if due >= begin])
    ok = sum(o.status == 200 for o in counted)
    errors = collections.Counter(str(o.status) if o.status else o.body.decode() for o in counted if o.status != 200)
    seconds = max(end - begin, 1e-9)
    p50, p90, p99 = (quantile(good, share) * 1000 for share in (0.5, 0.9, 0.99))
    most = good[-1] * 1000 if good else float("nan")
    return Result(seconds, len(counted), ok, ok / seconds, p50, p90, p99, most, dict(errors), cpu, outcomes)


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; NaN for none."""
    if not ordered:
        return float("nan")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def run_apart(job: Job, *, outcomes: bool = False) -> Result:
    """Run a job in a fresh process. Raises `CalledProcessError`."""
    members = {**asdict(job), "requests": [base64.b64encode(r).decode() for r in job.requests], "outcomes": outcomes}
    command = [sys.executable, str(Path(__file__).resolve())]
    out = subprocess.run(command, input=json.dumps(members).encode(), stdout=subprocess.PIPE, check=True).stdout
    told: dict[str, Any] = json.loads(out)
    rows = [Outcome(r, s, latency, at, body.encode()) for r, s, latency, at, body in told.pop("outcomes")]
    return Result(**told, outcomes=rows)


def main() -> None:
    members = json.load(sys.stdin)
    wanted = members.pop("outcomes")
    members["requests"] = [base64.b64decode(text) for text in members["requests"]]
    result = Load(Job(**members)).run()
    rows = [(o.request, o.status, o.latency, o.at, o.body.decode("utf-8", "replace")) for o in result.outcomes]
    told = {**{k: v for k, v in vars(result).items() if k != "outcomes"}, "outcomes": rows if wanted else []}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
