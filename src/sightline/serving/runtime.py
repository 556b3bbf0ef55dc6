"""The runtime: keeps tasks resident and warm, bounds the work, times it. Knows no web."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sightline.errors import Busy, SightlineError, TimedOut, Unavailable, UnknownTask
from sightline.images.decode import Source
from sightline.models.card import Identity
from sightline.models.store import Store
from sightline.serving import workshop
from sightline.serving.executors.base import Executor
from sightline.serving.job import Finish, Job
from sightline.serving.metrics import Metrics
from sightline.serving.residents import Load, Residents
from sightline.serving.ticket import CURRENT, Ticket
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Task, Timings

log = logging.getLogger("sightline")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Absent:
    """A task that is not served, and why."""

    name: str
    reason: str


class Tasks(Mapping[str, Task[Any, Any]]):
    """The served tasks by name. Looking one up loads it where it was unloaded, so it belongs into a worker."""

    def __init__(self, residents: Residents, identities: Mapping[str, tuple[Identity, ...]]) -> None:
        self._residents, self._identities = residents, identities

    def __getitem__(self, name: str) -> Task[Any, Any]:
        if name not in self._identities:
            raise KeyError(name)
        return self._residents.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._identities  # without loading it, as Mapping's own would

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._identities))

    def __len__(self) -> int:
        return len(self._identities)


class Runtime:
    """Serves a set of tasks. `start` loads and warms; until it is done `not_ready` gives the reason.

    `models` names the model that answers a task, where it is not the default one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store | None = None,
        models: Mapping[str, str] | None = None,
        load: Load | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.settings = settings
        self.store = store or Store(settings, pull=False)
        self.absent: dict[str, Absent] = {}
        self._models = dict(models or {})
        self.workers = settings.max_concurrency or os.cpu_count() or 1
        self._waiting = 0
        self._seconds = 0.1  # of one question, a moving average
        self._shop = workshop.Workshop(settings, self.store, self._models, self.workers, crowded=self._crowded)
        self._load = load or self._shop.load
        self._residents = self._shop.residents(lambda name: self._load(name))
        self._executor = executor or self._shop.executor(self._residents)
        self._identities: dict[str, tuple[Identity, ...]] = {}
        self._kinds: dict[str, type[Task[Any, Any]]] = {}
        self._added: set[str] = set()  # under a name of their own, already loaded
        self.tasks = Tasks(self._residents, self._identities)
        self._failure: str | None = None
        self._ready = False
        self._stopping = False
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sightline")
        self._lock = threading.Lock()
        self.metrics = Metrics()
        self.metrics.gauge("workers", lambda: self.workers)
        self.metrics.gauge("questions_in_flight", lambda: min(self._waiting, self.workers))
        self.metrics.gauge("queue_depth", lambda: {("workers",): max(0, self._waiting - self.workers)})
        self._shop.watch = self.metrics.batch

    def start(self, names: tuple[str, ...] = ()) -> None:
        """Load and warm the named tasks, or every task whose models are here. Raises `Unavailable` and
        `UnknownTask` for a named task that cannot be served, and `Unavailable` if there is none at all."""
        try:
            for name in names or tuple(registry.TASKS):
                reason = None if names else registry.missing(name, self.store)
                if reason is None:
                    self._open(name)
                else:
                    self.absent[name] = Absent(name, reason)
            if not self._identities:
                raise Unavailable("no task can be served: no models are here; `sightline models pull --defaults`")
        except SightlineError as error:
            self._failure = str(error)
            raise
        self._ready = True

    def open(self) -> None:
        """Be ready without any task: they are added and removed while the server runs."""
        self._ready = True

    def add(self, name: str, task: Task[Any, Any]) -> None:
        """Serve a loaded and warmed task as `name` from now on, in place of one that is served so. It stays in this
        process, so its questions are answered by threads only."""
        self._residents.put(name, task)
        self._kinds[name] = type(task)
        self._added.add(name)
        self._identities[name] = task.identities

    def remove(self, name: str) -> None:
        """Serve it no longer; questions at work keep it until they are answered."""
        self._identities.pop(name, None)
        self._kinds.pop(name, None)
        self._added.discard(name)
        self._residents.drop(name)

    @property
    def loading(self) -> bool:
        """Whether models are still being loaded: what cannot be answered now may be a moment later."""
        return not (self._ready or self._failure or self._stopping)

    @property
    def waiting(self) -> int:
        """Questions that are being answered or wait for it."""
        return self._waiting

    def loaded(self) -> dict[str, int]:
        """The tasks that are in this process's memory, and the bytes each took when it was loaded."""
        return self._residents.loaded()

    def not_ready(self) -> str | None:
        """Why questions cannot be answered yet or any more; None if they can."""
        if self._stopping:
            return "the server is stopping"
        if self._failure:
            return self._failure
        return None if self._ready else "models are still being loaded and warmed"

    def kind(self, name: str) -> type[Task[Any, Any]]:
        """The class of a served task. Raises `UnknownTask`, or `Unavailable` for a known one whose models are not
        here."""
        if name in self._kinds:
            return self._kinds[name]
        if name in self.absent:
            raise Unavailable(f"{name} is not served here: {self.absent[name].reason}")
        if not self._ready and name in registry.TASKS:
            raise Unavailable(self.not_ready() or "not ready")
        raise UnknownTask(f"no task called {name!r} is served here; there are {', '.join(self._identities)}")

    def identities(self, name: str) -> tuple[Identity, ...]:
        """The models that answer a task, the deciding one first; none for one that is not served."""
        return self._identities.get(name, ())

    async def ask(
        self,
        name: str,
        pictures: Mapping[str, Source],
        options: Mapping[str, Any],
        finish: Finish[T],
        ticket: Ticket | None = None,
    ) -> tuple[Timings, T]:
        """Decode, answer and `finish` (turn the answer into bytes) in a worker; the event loop stays free.

        Raises `Busy` when as many questions wait as the settings allow, `TimedOut` when the ticket's deadline passes
        first, and what the task raises. Cancelled, it takes the question back if it has not begun.
        """
        self.kind(name)
        job = Job(name, pictures, options, finish, time.perf_counter())
        done = await self.run(lambda: self._executor.perform(job), ticket)
        return done.timings, done.content

    async def run(self, work: Callable[[], T], ticket: Ticket | None = None) -> T:
        """Run `work` in a worker thread, within the limits. Raises `Busy` and `TimedOut`."""
        ticket = ticket or Ticket(self.settings.timeout_seconds or None)
        with self._lock:
            if self._waiting >= self.workers + self.settings.max_queue:
                text = f"{self._waiting} questions are already being answered or waiting"
                self.metrics.rejected("busy")
                raise Busy(text, math.ceil(self._seconds * self._waiting / self.workers))
            self._waiting += 1

        def once() -> T:
            CURRENT.set(ticket)
            ticket.check()
            begun = time.perf_counter()
            result = work()
            self._seconds += 0.1 * (time.perf_counter() - begun - self._seconds)
            return result

        try:
            future = self._pool.submit(once)
        except BaseException:
            self._done()
            raise
        # Counted down when the work is over, not when the caller stops waiting for it.
        future.add_done_callback(lambda _: self._done())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ticket.remaining())
        except TimeoutError:
            if not future.cancelled():
                ticket.cancel()
            self.metrics.rejected("deadline")
            raise TimedOut("the deadline passed before the question was answered") from None
        except TimedOut as error:  # found out by the worker
            if error.code == TimedOut.code:
                self.metrics.rejected("deadline")
            raise
        except asyncio.CancelledError:
            ticket.cancel()
            raise

    def swap(self, name: str, model: str | None = None) -> None:
        """Load the task anew, with `model` deciding (None: as it was chosen before, which may be another version by
        now), then let it answer in the old one's place; no question is dropped. Blocks until that is done.

        Raises what loading raises, and then the old one goes on.
        """
        before = self._models.get(name)
        if model is not None:
            self._models[name] = model
        try:
            task = self._residents.swap(name, self._load)
            self._in_every_worker(lambda: self._executor.warm(name))
        except SightlineError:
            if before is None:
                self._models.pop(name, None)
            else:
                self._models[name] = before
            raise
        self._identities[name] = task.identities
        self.absent.pop(name, None)

    def reload(self) -> list[str]:
        """Swap every served task whose models changed on disk; which ones those were."""
        changed = []
        for name in [name for name in self._identities if name not in self._added]:
            if self._shop.identities(name) != self._identities[name]:
                self.swap(name)
                changed.append(name)
        return changed

    def stop(self) -> None:
        """Take no new questions, finish those at work."""
        self._stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._executor.stop()

    def drain(self) -> None:
        """Say from now on that the server is stopping, and go on answering."""
        self._stopping = True

    def _open(self, name: str) -> None:
        task = self._residents.get(name)
        self._in_every_worker(lambda: self._executor.warm(name))
        self._kinds[name] = type(task)
        self._identities[name] = task.identities

    def _crowded(self) -> bool:
        return self._waiting > 1

    def _done(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _in_every_worker(self, work: Callable[[], None]) -> None:
        barrier = threading.Barrier(self.workers)

        def once() -> None:
            barrier.wait(timeout=60)
            work()

        for future in [self._pool.submit(once) for _ in range(self.workers)]:
            future.result()
