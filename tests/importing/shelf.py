"""A folder of the user's models, and imports into it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sightline.architectures.registry import build
from sightline.importing import Imported, Request
from sightline.importing.bring import bring
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings

Command = Callable[..., "subprocess.CompletedProcess[str]"]
"""`sightline models ARGUMENTS` as a process."""


class Shelf:
    """The models it holds are found and opened as every command does it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(models=folder, cache=folder.parent / "cache", offline=True)

    def bring(self, file: Path, task: str, **wishes: Any) -> Imported:
        return bring(Request(file, task, self.folder, **wishes))

    def card(self, name: str) -> Card:
        return Store(self.settings).card(name)

    def architecture(self, name: str) -> Any:
        return build(self.card(name), Store(self.settings), self.settings)

    def engine(self, name: str) -> Any:
        return self.architecture(name).engine

    def is_empty(self) -> bool:
        """Whether nothing was left behind."""
        return not list(self.folder.glob("*/*"))
