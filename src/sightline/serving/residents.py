"""The tasks that are loaded: which, how much memory they took, and which of them go when it is needed."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sightline.tasks.base import Task

Load = Callable[[str], Task[Any, Any]]
Memory = Callable[[], int]


@dataclass(slots=True)
class _Resident:
    task: Task[Any, Any]
    size: int
    used: float


def resident_bytes() -> int:
    """The resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


class Residents:
    """Loads tasks by name and keeps them; safe to share between threads.

    With a `bound` (bytes), the tasks used longest ago are let go after a load until the rest fits; those `pinned` and
    the one just loaded stay. A question that is being answered keeps its task until it is done.
    """

    def __init__(
        self, load: Load, *, bound: int = 0, pinned: tuple[str, ...] = (), memory: Memory = resident_bytes
    ) -> None:
        self._load, self._bound, self._pinned, self._memory = load, bound, frozenset(pinned), memory
        self._kept: dict[str, _Resident] = {}
        self._lock = threading.RLock()

    def get(self, name: str) -> Task[Any, Any]:
        """The task, loaded and warmed in this thread first where it is not here. Raises what loading raises."""
        kept = self._kept.get(name)
        if kept is None:
            with self._lock:  # one load at a time: the memory it takes is measured
                kept = self._kept.get(name) or self._add(name, self._load)
        kept.used = time.monotonic()
        return kept.task

    def swap(self, name: str, load: Load) -> Task[Any, Any]:
        """Load anew and put it in the old one's place, which answers until then and finishes what it began.

        The bound is kept after the switch: for a moment both are here.
        """
        with self._lock:
            return self._add(name, load).task

    def put(self, name: str, task: Task[Any, Any]) -> None:
        """Keep a task that was loaded elsewhere; it is not unloaded, since it could not be loaded again."""
        with self._lock:
            self._pinned |= {name}
            self._kept[name] = _Resident(task, 0, time.monotonic())

    def drop(self, name: str) -> None:
        """Let a task go; nothing where it is not here."""
        with self._lock:
            self._kept.pop(name, None)
        gc.collect()  # engines hold memory that Python knows nothing of

    def loaded(self) -> dict[str, int]:
        """The tasks that are here, and the bytes each took when it was loaded."""
        return {name: kept.size for name, kept in list(self._kept.items())}

    def _add(self, name: str, load: Load) -> _Resident:
        before = self._memory()
        task = load(name)
        task.warm()
        kept = _Resident(task, max(0, self._memory() - before), time.monotonic())
        self._kept[name] = kept
        self._make_room(name)
        return kept

    def _make_room(self, newest: str) -> None:
        if not self._bound:
            return
        while sum(kept.size for kept in self._kept.values()) > self._bound:
            free = [name for name in self._kept if name not in self._pinned and name != newest]
            if not free:
                return
            del self._kept[min(free, key=lambda name: self._kept[name].used)]
            gc.collect()
