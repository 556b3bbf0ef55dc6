"""`sightline top`: a running server, watched from a terminal by what its `/metrics` tells."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sightline.console.exposition import Reading, parse
from sightline.console.frame import Frame, Spread, frame_of
from sightline.errors import InvalidOption, SightlineError, Unavailable

WINDOW = 15.0
"""Seconds that the figures of a live frame are of."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_HISTORY = 60


@dataclass(frozen=True, slots=True)
class Scrape:
    """One look at a server: its metrics, when they came on the local steady clock, and how long the server has been up
    by its own clock (None where it does not say)."""

    reading: Reading
    at: float
    uptime: float | None


class Source(Protocol):
    """Where metrics come from."""

    def scrape(self) -> Scrape:
        """Look once. Raises `Unavailable`, and `InvalidOption` for an address that is none."""
        ...


class Server:
    """The metrics of a server at an address."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidOption(f"{url} is not an http or https address")
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._url, self._client = url.rstrip("/"), httpx.Client(headers=headers, timeout=10, trust_env=False)

    def scrape(self) -> Scrape:
        try:
            reply = self._client.get(f"{self._url}/metrics")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"no server answers at {self._url}: {error or type(error).__name__}") from None
        if reply.status_code in (401, 403):
            raise Unavailable(f"{self._url}/metrics wants a key: --api-key")
        if reply.status_code != 200:
            raise Unavailable(f"{self._url}/metrics answers {reply.status_code}")
        reading = parse(reply.text)
        if not reading.series("sightline_info"):
            raise Unavailable(f"{self._url}/metrics is not Sightline's")
        return Scrape(reading, time.monotonic(), _uptime(reading, reply.headers.get("date")))


def run(url: str, every: float, api_key: str | None, *, once: bool, as_json: bool) -> None:
    """Watch the server at `url` until Ctrl+C; one frame and no more with `once`, as JSON, or away from a terminal.

    Raises `Unavailable` where it does not answer at first; once it has, silence is shown and waited out.
    """
    source, console = Server(url, api_key), Console()
    first = source.scrape()
    if as_json:
        print(json.dumps({"url": url, **_since_start(first).to_dict()}))
    elif once or not console.is_terminal:
        console.print(draw(_since_start(first), url))
    else:
        with suppress(KeyboardInterrupt):  # the way out
            watch(source, first, url, every, console)


def watch(source: Source, first: Scrape, url: str, every: float, console: Console) -> None:
    """Show a frame every so many seconds until interrupted."""
    scrapes = deque([first])
    history: deque[float] = deque(maxlen=_HISTORY)
    with Live(draw(_since_start(first), url), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            try:
                now = source.scrape()
            except SightlineError as error:
                live.update(Text(f"{error}\nwaiting for it to come back (stop: Ctrl+C)", "bold red"), refresh=True)
                continue
            if _began_anew(now, scrapes[-1]):
                scrapes.clear()
            else:
                history.append(frame_of(now.reading, scrapes[-1].reading, now.at - scrapes[-1].at).requests)
            while len(scrapes) > 1 and now.at - scrapes[0].at > WINDOW:
                scrapes.popleft()
            frame = frame_of(now.reading, scrapes[0].reading, now.at - scrapes[0].at) if scrapes else _since_start(now)
            scrapes.append(now)
            live.update(draw(frame, url, history), refresh=True)


def draw(frame: Frame, url: str, history: Iterable[float] = ()) -> RenderableType:
    """A frame for people."""
    return Group(*_head(frame, url, tuple(history)), Text(), _times(frame), Text(), *_foot(frame))


def _head(frame: Frame, url: str, history: tuple[float, ...]) -> list[Text]:
    over = f"since its start, {_span(frame.seconds)}" if frame.since_start else f"last {frame.seconds:.0f} s"
    title = Text.assemble((f"Sightline {frame.version}", "bold"), f"  {url}  ")
    title.append("ready" if frame.ready else "NOT READY", "green" if frame.ready else "bold red")
    title.append(f"  {over}", "dim")
    rates = Text.assemble("requests ", (f"{frame.requests:.1f}/s", "bold"), f"  {bars(history)}" if history else "")
    rates.append("   errors (5xx) ")
    rates.append(f"{frame.errors:.2f}/s", "bold red" if frame.errors else "")
    rates.append(f"   refused (4xx) {frame.refused:.2f}/s   in flight {frame.in_flight:.0f}")
    queues = ", ".join(f"{name} {depth:.0f}" for name, depth in frame.queues.items()) or "-"
    busy = Text(f"waiting {queues}   at work {frame.working:.0f} of {frame.workers:.0f}   turned away ")
    turned_away = ", ".join(f"{reason} {rate:.2f}/s" for reason, rate in frame.rejected.items())
    busy.append(turned_away or "none", "bold red" if turned_away else "")
    memory = "-" if frame.memory is None else f"{frame.memory / 2**20:.0f} MiB"
    processors = "-" if frame.processors is None else f"{frame.processors:.2f}"
    lag = "-" if frame.lag is None else f"{frame.lag:.1f} ms"
    return [title, rates, busy, Text(f"memory {memory}   processors busy {processors}   event loop late {lag}")]


def _times(frame: Frame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task, stage", no_wrap=True)
    for heading in ("answers/s", "failed/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("all requests", f"{frame.requests:.2f}", "", *_numbers(frame.request))
    for task in frame.tasks:
        table.add_row(
            Text(task.name, "bold"),
            f"{task.rates.get('ok', 0.0):.2f}",
            Text(f"{task.failures:.2f}", "red" if task.failures else ""),
            *_numbers(task.answer),
        )
        for code, rate in task.rates.items():
            if code != "ok":
                table.add_row(f"  {code}", "", f"{rate:.2f}", style="red")
        for stage, spread in task.stages.items():
            table.add_row(f"  {stage}", "", "", *_numbers(spread), style="dim")
    return table


def _foot(frame: Frame) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if frame.batches:
        table = Table("batches of", box=None, pad_edge=False, header_style="bold")
        for heading in ("runs/s", "mean size", "largest"):
            table.add_column(heading, justify="right")
        for batch in frame.batches:
            mean = "-" if batch.mean is None else f"{batch.mean:.2f}"
            largest = "-" if batch.largest is None else f"{batch.largest:g}"
            table.add_row(batch.model, f"{batch.rate:.2f}", mean, largest)
        parts += [table, Text()]
    parts.append(Text(f"{frame.resident:.0f} models in memory", "bold"))
    parts += [Text(f"  {name}: {', '.join(tasks)}") for name, tasks in frame.models.items()]
    return parts


def bars(values: Iterable[float]) -> str:
    """Numbers as a line of blocks, the largest the highest."""
    numbers = tuple(values)
    top = max(numbers, default=0.0) or 1.0
    return "".join(_BLOCKS[round(number / top * (len(_BLOCKS) - 1))] for number in numbers)


def _numbers(spread: Spread) -> list[str]:
    return ["-" if ms is None else f"{ms:.1f}" for ms in (spread.p50, spread.p95, spread.p99)]


def _span(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s" if minutes else f"{left} s"


def _since_start(scrape: Scrape) -> Frame:
    # Without the server's own word, rates cannot be told: an endless time makes all of them zero.
    return frame_of(scrape.reading, None, scrape.uptime or float("inf"))


def _began_anew(now: Scrape, before: Scrape) -> bool:
    name = "process_start_time_seconds"
    return now.reading.one(name) != before.reading.one(name)


def _uptime(reading: Reading, date: str | None) -> float | None:
    """Seconds by the server's clock, which its reply's `Date` tells: this machine's may be another."""
    started = reading.one("process_start_time_seconds")
    if started is None:
        return None
    try:
        now = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        now = time.time()
    return max(now - started, 1.0)
