"""How commands load a task: progress while weights come, silence while engines start."""

from __future__ import annotations

from typing import Any

from sightline.console.progress import download_bar
from sightline.console.quiet import without_notice
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Task


def load_task(name: str, model: str | None, detector: str | None, settings: Settings) -> Task[Any, Any]:
    """The task, its weights pulled first where they are missing. Raises as `registry.load`."""
    with download_bar() as progress:
        registry.choose(name, Store(settings, progress), model=model, detector=detector)
    with without_notice():
        return registry.load(name, model=model, detector=detector, settings=settings)
