"""What an import is asked for, and what it hands back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CROPS = ("box", "whole", "aligned")


@dataclass(frozen=True, slots=True)
class Request:
    """One import: `file` goes into a folder of its own below `folder`, to serve `task`.

    `name` is the model's (the file's, if left out). `labels` and `card` are files with what the user knows of it;
    `architecture` builds the network of a weights-only file. `trust` allows code that comes with the model.
    `samples` is a folder of pictures like those that the model will see. `crop` is what a face network sees.
    """

    file: Path
    task: str
    folder: Path
    name: str | None = None
    labels: Path | None = None
    card: Path | None = None
    architecture: str | None = None
    trust: bool = False
    samples: Path | None = None
    crop: str = "box"


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest absolute differences between the answers of the file's own framework and those of the stored model,
    over `random` drawn and `real` pictures; none may exceed `tolerance`. `spread` is how far apart the answers to
    different pictures lie: where it is nothing, the comparison says nothing."""

    random: int
    random_difference: float
    real: int
    real_difference: float
    tolerance: float
    spread: float

    @property
    def largest(self) -> float:
        return max(self.random_difference, self.real_difference)


@dataclass(frozen=True, slots=True)
class Imported:
    """A model in the store: its folder (which holds `card.toml`) and what a person should know of it."""

    name: str
    version: str
    task: str
    format: str
    architecture: str
    engine: str
    directory: Path
    sha256: str
    size: int
    parity: Parity
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "directory": str(self.directory), "notes": list(self.notes)}
