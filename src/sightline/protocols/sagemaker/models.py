"""Many models in one container: loaded, listed and unloaded while it runs."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sightline.errors import Conflict, InvalidOption, InvalidRequest, NotFound, SightlineError
from sightline.models.folder import FolderStore
from sightline.protocols.sagemaker.folder import decided_by
from sightline.serving.errors import InsufficientMemory
from sightline.serving.memory import Memory
from sightline.serving.runtime import Runtime
from sightline.tasks import registry
from sightline.tasks.base import Task

_PAGE = 100
# Activations outweigh weights: of the shipped tasks the neediest takes 190 MB for files of 3 MB. Large weights are held
# about three times while an engine rewrites them.
_ROOM, _TIMES = 256 * 2**20, 3
# What has to be left once a model has answered its warm-up.
_RESERVE = 64 * 2**20


class ModelHost(Protocol):
    """Where models live. Both methods block."""

    def load(self, name: str, folder: Path) -> None:
        """Serve the model of `folder` as `name`. Raises `InsufficientMemory`, and other errors where it cannot be."""
        ...

    def unload(self, name: str) -> None:
        """Serve it no longer; questions at work are finished."""
        ...


class RuntimeHost:
    """Models in the runtime of this process, as tasks under the names that SageMaker gives them."""

    def __init__(self, runtime: Runtime, memory: Memory) -> None:
        self._runtime, self._memory = runtime, memory

    def load(self, name: str, folder: Path) -> None:
        """Raises `InvalidOption` for a folder of several models or one that decides no task, and what loading does."""
        store = FolderStore(self._runtime.settings, folder)
        if len(store.own) > 1:
            raise InvalidOption(f"{folder} holds {len(store.own)} models; each is loaded by a name of its own")
        (card,) = store.own
        decided = decided_by(card, store)
        if not decided:
            raise InvalidOption(f"{card.name} decides no task")
        parts = registry.choose(decided[0], store, model=card.name).values()
        self._require(max(_ROOM, _TIMES * sum(part.size for cards in parts for part in cards)), name)
        try:
            task = self._open(decided[0], card.name, store)
        except MemoryError:
            raise InsufficientMemory(f"there is not enough memory to load {name}") from None
        try:
            self._require(_RESERVE, name)
        except InsufficientMemory:
            del task
            _collect()
            raise
        self._runtime.add(name, task)

    def unload(self, name: str) -> None:
        self._runtime.remove(name)
        _collect()

    def _open(self, task: str, model: str, store: FolderStore) -> Task[Any, Any]:
        settings = self._runtime.settings
        # Questions share the cores: with a worker a core, one inference keeps to one thread.
        settings = replace(settings, threads=settings.threads or 1)
        opened = registry.load(task, model=model, settings=settings, store=store)
        opened.warm()
        return opened

    def _require(self, needed: int, name: str) -> None:
        left = self._memory.left()
        if left is not None and left < needed:
            text = f"{name} needs {needed / 2**20:.0f} MiB of memory; {left / 2**20:.0f} MiB are left"
            raise InsufficientMemory(text)


def _collect() -> None:
    gc.collect()  # engines hold memory that Python knows nothing of


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded model: its name, and the folder it came from."""

    name: str
    url: str

    def to_dict(self) -> dict[str, str]:
        return {"modelName": self.name, "modelUrl": self.url}


class Shelf:
    """The loaded models. Used from one event loop."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host
        self._models: dict[str, Loaded] = {}
        self._coming: set[str] = set()
        # One at a time: each must see the memory that the one before it took.
        self._turn = asyncio.Lock()

    async def load(self, name: str, url: str) -> Loaded:
        """Raises `Conflict` for a name that is loaded or being loaded, `InsufficientMemory`, and `InvalidRequest` for
        a folder that holds no model that can be served."""
        if name in self._models or name in self._coming:
            raise Conflict(f"{name[:100]!r} is loaded already")
        self._coming.add(name)
        try:
            async with self._turn:
                await asyncio.to_thread(self._host.load, name, Path(url))
        except (InsufficientMemory, InvalidRequest):
            raise
        except SightlineError as error:
            raise InvalidRequest(f"{name[:100]!r} cannot be loaded: {error}") from None
        finally:
            self._coming.discard(name)
        self._models[name] = Loaded(name, url)
        return self._models[name]

    async def unload(self, name: str) -> Loaded:
        """Raises `NotFound`."""
        model = self.get(name)
        del self._models[name]
        async with self._turn:
            await asyncio.to_thread(self._host.unload, name)
        return model

    def get(self, name: str) -> Loaded:
        """Raises `NotFound` for one that is not loaded."""
        if name not in self._models:
            raise NotFound(f"no model {name[:100]!r} is loaded")
        return self._models[name]

    def page(self, after: str = "") -> tuple[list[Loaded], str | None]:
        """The next models by name, and the token of the page behind them, if there is one."""
        names = sorted(name for name in self._models if name > after)
        page = [self._models[name] for name in names[:_PAGE]]
        return page, page[-1].name if len(names) > _PAGE else None
