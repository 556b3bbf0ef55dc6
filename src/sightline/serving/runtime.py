"""The runtime: keeps tasks resident and warm, bounds the work, times it. Knows no web."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sightline.errors import Busy, SightlineError, Unavailable, UnknownTask
from sightline.images.decode import Source
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task, Timings

log = logging.getLogger("sightline")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Absent:
    """A task that is not served, and why."""

    name: str
    reason: str


class Runtime:
    """Serves a set of tasks from threads: both engines release the interpreter lock while they run.

    `start` loads and warms; until it is done `not_ready` gives the reason.
    """

    def __init__(
        self, settings: Settings, *, store: Store | None = None, models: Mapping[str, str] | None = None
    ) -> None:
        self._models = dict(models or {})
        self.settings = settings
        self.store = store or Store(settings, pull=False)
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.absent: dict[str, Absent] = {}
        self._failure: str | None = None
        self._ready = False
        self._stopping = False
        cores = os.cpu_count() or 1
        self._workers = settings.max_concurrency or cores
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="sightline")
        self._lock = threading.Lock()
        self._waiting = 0

    def start(self, names: tuple[str, ...] = (), load: Callable[[str], Task[Any, Any]] | None = None) -> None:
        """Load and warm the named tasks, or every task whose models are here. Raises `Unavailable` and
        `UnknownTask` for a named task that cannot be served, and `Unavailable` if there is none at all."""
        load = load or self._load
        try:
            for name in names or tuple(registry.TASKS):
                reason = None if names else registry.missing(name, self.store)
                if reason is None:
                    task = load(name)
                    # A LiteRT interpreter belongs to its thread: every worker has to be warmed.
                    self._in_every_worker(task.warm)
                    self.tasks[name] = task
                else:
                    self.absent[name] = Absent(name, reason)
            if not self.tasks:
                raise Unavailable("no task can be served: no models are here; `sightline models pull --defaults`")
        except SightlineError as error:
            self._failure = str(error)
            raise
        self._ready = True

    @property
    def loading(self) -> bool:
        """Whether models are still being loaded: what cannot be answered now may be a moment later."""
        return not (self._ready or self._failure or self._stopping)

    def not_ready(self) -> str | None:
        """Why questions cannot be answered yet or any more; None if they can."""
        if self._stopping:
            return "the server is stopping"
        if self._failure:
            return self._failure
        return None if self._ready else "models are still being loaded and warmed"

    def task(self, name: str) -> Task[Any, Any]:
        """A served task. Raises `UnknownTask`, or `Unavailable` for a known one whose models are not here."""
        if name in self.tasks:
            return self.tasks[name]
        if name in self.absent:
            raise Unavailable(f"{name} is not served here: {self.absent[name].reason}")
        if not self._ready and name in registry.TASKS:
            raise Unavailable(self.not_ready() or "not ready")
        raise UnknownTask(f"no task called {name!r} is served here; there are {', '.join(self.tasks)}")

    async def ask(
        self, name: str, pictures: Mapping[str, Source], options: Mapping[str, Any], finish: Callable[[Answer], T]
    ) -> tuple[Answer, T]:
        """Decode, answer and `finish` (turn the answer into bytes) in a worker; the event loop stays free.

        Raises `Busy` when as many questions wait as the settings allow, and what the task raises.
        """
        task = self.task(name)
        arrived = time.perf_counter()

        def work() -> tuple[Answer, T]:
            begun = time.perf_counter()
            question = task.ask(pictures, options)
            decoded = time.perf_counter()
            answer = task.answer(question)
            inferred = time.perf_counter()
            timings = Timings(
                decode=(decoded - begun) * 1000,
                queue=(begun - arrived) * 1000,
                infer=(inferred - decoded) * 1000,
                total=(inferred - arrived) * 1000,
            )
            answer = answer.stamped(task.identities, timings)
            return answer, finish(answer)

        return await self.run(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a worker thread, within the limits. Raises `Busy`."""
        with self._lock:
            if self._waiting >= self._workers + self.settings.max_queue:
                raise Busy(f"{self._waiting} questions are already being answered or waiting")
            self._waiting += 1
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._done()
            raise
        # Counted down when the work is over, not when the caller stops waiting for it.
        future.add_done_callback(lambda _: self._done())
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """Take no new questions, finish those at work."""
        self._stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def drain(self) -> None:
        """Say from now on that the server is stopping, and go on answering."""
        self._stopping = True

    def _done(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _load(self, name: str) -> Task[Any, Any]:
        # Questions share the cores: with a worker a core, one inference keeps to one thread.
        threads = self.settings.threads or max(1, (os.cpu_count() or 1) // self._workers)
        settings = replace(self.settings, threads=threads)
        return registry.load(name, model=self._models.get(name) or None, settings=settings, store=self.store)

    def _in_every_worker(self, work: Callable[[], None]) -> None:
        barrier = threading.Barrier(self._workers)

        def once() -> None:
            barrier.wait(timeout=60)
            work()

        for future in [self._pool.submit(once) for _ in range(self._workers)]:
            future.result()
