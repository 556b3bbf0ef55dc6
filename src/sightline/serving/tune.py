"""Tries ways to serve a task on this machine, under many clients and under one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sightline.images.decode import Source
from sightline.serving.profile import Way
from sightline.serving.runtime import Runtime
from sightline.settings import Settings
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import question_fields

CLIENTS = 64


@dataclass(frozen=True, slots=True)
class Tried:
    """What a way gave: questions a second and milliseconds under 64 clients, and the median of a lone client."""

    way: Way
    per_second: float
    p50_ms: float
    p99_ms: float
    alone_ms: float

    def to_dict(self) -> dict[str, Any]:
        numbers = {name: round(getattr(self, name), 2) for name in ("per_second", "p50_ms", "p99_ms", "alone_ms")}
        return {**asdict(self.way), **numbers}


def ways(cores: int | None = None) -> Iterator[Way]:
    """What is tried, the plainest first: workers that share the cores, in threads and in processes; more workers than
    networks may run at once, so that batches come about; one network at a time on all cores."""
    cores = cores or os.cpu_count() or 1
    yield Way("threads", cores, 1, cores, 1, 0.0)
    yield Way("processes", cores, 1, cores, 1, 0.0)
    if cores > 1:
        yield Way("threads", cores, cores, cores, 1, 0.0)
        yield Way("processes", max(1, cores // 2), 2, cores, 1, 0.0)
    yield Way("threads", 2 * cores, 1, cores, 8, 0.0)
    yield Way("threads", 4 * cores, 1, cores, 8, 0.0)
    yield Way("threads", 4 * cores, 1, cores, 8, 2.0)
    yield Way("threads", 4 * cores, cores, 1, 16, 0.0)
    yield Way("processes", 2 * cores, 1, cores, 1, 0.0)


def tune(
    name: str, picture: Source, settings: Settings, seconds: float, report: Callable[[Tried], None] = lambda _: None
) -> list[Tried]:
    """Serve `picture` to the task `name` each way for `seconds`; best first. Raises what loading raises.

    Best is the most questions a second; of those within three hundredths of it, the lowest p99.
    """
    found = []
    for way in ways():
        found.append(_try(name, picture, way, settings, seconds))
        report(found[-1])
    top = max(tried.per_second for tried in found)
    return sorted(found, key=lambda tried: (tried.per_second < 0.97 * top, tried.p99_ms, -tried.per_second))


def _try(name: str, picture: Source, way: Way, settings: Settings, seconds: float) -> Tried:
    runtime = Runtime(way.on(settings))
    try:
        runtime.start((name,))
        pictures = {field.name: picture for field in question_fields(runtime.kind(name).Question).pictures}
        alone = asyncio.run(_load(runtime, name, pictures, 1, seconds / 4))
        begun = time.perf_counter()
        crowd = asyncio.run(_load(runtime, name, pictures, CLIENTS, seconds))
        took = time.perf_counter() - begun
    finally:
        runtime.stop()
    return Tried(way, len(crowd) / took, _quantile(crowd, 0.5), _quantile(crowd, 0.99), _quantile(alone, 0.5))


async def _load(runtime: Runtime, name: str, pictures: dict[str, Source], clients: int, seconds: float) -> list[float]:
    """The milliseconds of every question that `clients` asked one after the other, each for so long."""
    until = time.perf_counter() + seconds
    times: list[float] = []

    async def client() -> None:
        while True:
            begun = time.perf_counter()
            await runtime.ask(name, pictures, {}, nothing)
            times.append((time.perf_counter() - begun) * 1000)
            if time.perf_counter() >= until:
                return

    await asyncio.gather(*(client() for _ in range(clients)))
    return times


def nothing(task: Task[Any, Any], answer: Answer, pictures: Any) -> None:
    """The answer is made, and not written."""


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
