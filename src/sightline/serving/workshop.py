"""Puts together what a server runs: engines shared between tasks and batched, tasks, residents, the executor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from sightline.engines.base import Array, Engine, Tensor
from sightline.engines.registry import open_engine
from sightline.models.card import Identity
from sightline.models.store import Store
from sightline.serving.batcher import Batcher, can_batch
from sightline.serving.executors.base import Executor
from sightline.serving.executors.processes import Processes
from sightline.serving.executors.threads import Threads
from sightline.serving.residents import Load, Residents
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Task

FEW_CORES = 4
"""Up to here one interpreter lock feeds every core: about a tenth of a question is Python."""


class _Shared:
    """An engine that several tasks hold; it goes with the last of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.inputs: tuple[Tensor, ...] = engine.inputs
        self.outputs: tuple[Tensor, ...] = engine.outputs

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        return self._engine.run(*arrays)


class Workshop:
    """`models` (task to model) is read at each load, so that a later choice counts."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        models: Mapping[str, str],
        workers: int,
        *,
        crowded: Callable[[], bool] = lambda: True,
    ) -> None:
        cores = os.cpu_count() or 1
        # Questions share the cores: with a worker a core, one inference keeps to one thread.
        self.settings = replace(settings, threads=settings.threads or max(1, cores // workers))
        self._store, self._models, self._crowded = store, models, crowded
        self._sessions = settings.sessions or cores
        self._alone = self._sessions >= workers
        self._open: WeakValueDictionary[tuple[str, Path, int, int], _Shared] = WeakValueDictionary()
        self._lock = threading.Lock()
        self.watch: Callable[[str, int], None] = lambda model, rows: None

    def load(self, name: str) -> Task[Any, Any]:
        """The task `name` by its chosen model. Raises what `registry.load` raises."""
        model = self._models.get(name) or None
        return registry.load(name, model=model, settings=self.settings, store=self._store, engines=self.engine)

    def identities(self, name: str) -> tuple[Identity, ...]:
        """Who would answer the task if it were loaded now."""
        chosen = registry.choose(name, self._store, model=self._models.get(name) or None)
        return tuple(card.identity for cards in chosen.values() for card in cards)

    def engine(self, kind: str, path: Path, settings: Settings) -> Engine:
        """The engine of a weights file: opened once for all tasks, and batched where that can gain anything."""
        stat = path.stat()
        key = (kind, path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            shared = self._open.get(key)
            if shared is None:
                shared = self._open[key] = _Shared(self._batched(open_engine(kind, path, settings), path))
        return shared

    def residents(self, load: Load) -> Residents:
        """An empty set of residents that `load` fills, with the settings' bound."""
        bound = self.settings.max_model_memory * 1024 * 1024
        return Residents(load, bound=bound, pinned=self.settings.pinned)

    def executor(self, residents: Residents) -> Executor:
        """Threads or processes, as the settings say or the number of cores suggests."""
        kind = self.settings.executor or ("threads" if (os.cpu_count() or 1) <= FEW_CORES else "processes")
        if kind == "threads":
            return Threads(residents)
        return Processes(partial(_in_child, self.settings), self._models)

    def _batched(self, engine: Engine, path: Path) -> Engine:
        # With a session a worker nothing ever waits for a network: a batch would have one caller's rows.
        if self._alone or not can_batch(engine):
            return engine
        # Pulled weights lie in a folder of their version, below one of their name.
        folder = path.parent
        name = (folder.parent if folder.is_relative_to(self.settings.cache) else folder).name
        return Batcher(
            engine,
            size=self.settings.batch_size,
            sessions=self._sessions,
            wait=self.settings.batch_wait_ms / 1000,
            crowded=self._crowded,
            watch=lambda rows: self.watch(name, rows),
        )


def _in_child(settings: Settings, models: Mapping[str, str]) -> Residents:
    """What a process of its own keeps: one worker, which needs no batches."""
    shop = Workshop(settings, Store(settings, pull=False), models, 1)
    return shop.residents(shop.load)
