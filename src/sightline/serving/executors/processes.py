"""Questions are answered in processes of their own, one a worker thread: more cores than one interpreter lock feeds,
and a crash in native code takes one question with it and nothing else."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from sightline.errors import EngineError, SightlineError
from sightline.serving.job import Done, Job, perform
from sightline.serving.residents import Residents

log = logging.getLogger("sightline")

T = TypeVar("T")

Make = Callable[[Mapping[str, str]], Residents]
"""Makes the residents of a child, in the child, from the models chosen for tasks. It travels there, so it is importable
(`functools.partial` of a function, with arguments that can be pickled)."""


class Processes:
    """Each thread that asks gets a process, made when it first asks and made anew when it died."""

    def __init__(self, make: Make, models: Mapping[str, str]) -> None:
        self._make, self._models = make, models
        self._local = threading.local()
        self._children: set[_Child] = set()
        self._lock = threading.Lock()

    def warm(self, name: str) -> None:
        """A task that the child has warmed before, or a model chosen since it was made, means that models changed: a
        new child is warmed, and the old one answers until then."""
        chosen = dict(self._models)
        child: _Child | None = getattr(self._local, "child", None)
        if child is not None and child.models == chosen and name not in child.names:
            child.ask(("warm", name))
            child.names.add(name)
            return
        fresh = self._start(chosen)
        for wanted in sorted({name, *(child.names if child else ())}):
            fresh.ask(("warm", wanted))
            fresh.names.add(wanted)
        self._replace(fresh)

    def perform(self, job: Job[T]) -> Done[T]:
        child: _Child | None = getattr(self._local, "child", None)
        if child is None:
            child = self._start(dict(self._models))
            self._replace(child)
        try:
            done: Done[T] = child.ask(("perform", job))
            return done
        except EOFError:
            fresh = self._start(child.models)
            fresh.names |= child.names
            self._replace(fresh)
            raise EngineError(f"the process that worked on {job.name} died; the question was given up") from None

    def stop(self) -> None:
        with self._lock:
            children, self._children = self._children, set()
        for child in children:
            child.stop()

    def _start(self, models: dict[str, str]) -> _Child:
        return _Child(self._make, models)

    def _replace(self, fresh: _Child) -> None:
        old: _Child | None = getattr(self._local, "child", None)
        with self._lock:
            self._children.add(fresh)
            if old is not None:
                self._children.discard(old)
        self._local.child = fresh
        if old is not None:
            old.stop()


class _Child:
    """A process at the other end of a pipe that carries one request at a time."""

    def __init__(self, make: Make, models: dict[str, str]) -> None:
        self.models = models
        self.names: set[str] = set()
        # spawn: a forked child would inherit locks that threads of the server hold.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, models), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, request: Any) -> Any:
        """Raises what the child raised, and EOFError where it is gone."""
        try:
            self._pipe.send(request)
            outcome = self._pipe.recv()
        except (OSError, EOFError):
            raise EOFError from None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._pipe.close()  # the child ends when its pipe does
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(5)


def _serve(pipe: Connection, make: Make, models: dict[str, str]) -> None:
    """The child: answers what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the whole group; the server says when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    residents = make(models)
    while True:
        try:
            kind, what = pipe.recv()
        except EOFError:
            return
        outcome: Any = None
        try:
            if kind == "warm":
                residents.get(what)
            else:
                outcome = perform(residents.get(what.name), what)
        except SightlineError as error:
            outcome = error
        except Exception as error:
            log.exception("unexpected error in a worker process")
            # The original may be of a class that cannot travel.
            outcome = RuntimeError(f"{type(error).__name__}: {error}")
        pipe.send(outcome)
