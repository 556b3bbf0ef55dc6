"""Servers as processes: started, waited for, weighed and stopped. Reads Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True)
class Memory:
    """Megabytes of a process and all its descendants: resident (pages that processes share count once in each), and
    proportional (shared pages count once in all; None where the kernel does not tell)."""

    rss_mb: float
    pss_mb: float | None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tree(pid: int) -> list[int]:
    """A process and its living descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def memory(pid: int) -> Memory:
    """The memory of a process and its descendants now."""
    rss, pss, told = 0, 0, True
    for each in tree(pid):
        with contextlib.suppress(OSError):
            rss += _field(Path(f"/proc/{each}/status"), "VmRSS:")
            try:
                pss += _field(Path(f"/proc/{each}/smaps_rollup"), "Pss:")
            except PermissionError:
                told = False
    return Memory(rss / 1024, pss / 1024 if told else None)


def peak_mb(pid: int) -> float:
    """The most that the process and its living descendants ever had resident, megabytes, summed."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            total += _field(Path(f"/proc/{each}/status"), "VmHWM:")
    return total / 1024


def _field(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


class Watch:
    """The largest memory of a process tree while it is watched, looked at every `pause` seconds."""

    def __init__(self, pid: int, pause: float = 0.5) -> None:
        self.rss_mb, self.pss_mb = 0.0, 0.0
        self._pid, self._pause = pid, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            now = memory(self._pid)
            self.rss_mb, self.pss_mb = max(self.rss_mb, now.rss_mb), max(self.pss_mb, now.pss_mb or 0.0)
            if self._stop.wait(self._pause):
                return


class Server:
    """A server process in a session of its own; leaving the `with` stops it and all it started."""

    def __init__(self, command: list[str], port: int, environment: dict[str, str], log: Path | None = None) -> None:
        self.port = port
        self.log = log or Path(tempfile.mkstemp(suffix=".log")[1])
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=out, stderr=out, start_new_session=True
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for sign, grace in ((signal.SIGTERM, 25.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace)
        # Workers that outlived their parent would go on using the cores.

    def wait(self, request: bytes, seconds: float = 90.0) -> float:
        """Ask until the answer is a 200; the time.perf_counter() of that. Raises `RuntimeError` with the log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if ask(self.port, request)[0] == 200:
                    return time.perf_counter()
            time.sleep(0.01)
        raise RuntimeError(f"the server did not answer; its log ends:\n{self.log.read_text()[-3000:]}")


def ask(port: int, request: bytes, timeout: float = 30.0) -> tuple[int, bytes]:
    """Send one raw HTTP/1.1 request on a connection of its own: status and body. Raises `OSError`."""
    import http.client

    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status, reply.read()


def ready(url: str) -> bool:
    """Whether a GET answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its living descendants have used."""
    ticks = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
