"""What a training run is asked for, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .loop import Report

__all__ = ["Order", "Outcome", "Recipe"]


@dataclass(frozen=True)
class Order:
    """One run: ``data`` is read, ``out`` written. ``options`` are the recipe's own."""

    data: Path
    out: Path
    report: Report
    epochs: int | None = None
    resume: bool = False
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def command(self, recipe: str) -> str:
        """The command line that does it again; paths are the reader's own."""
        words = f"sightline train {recipe} --data DATA --out OUT --seed {self.seed}"
        if self.epochs:
            words += f" --epochs {self.epochs}"
        if "architecture" in self.options:
            words += f" --architecture {self.options['architecture']}"
        if "teacher" in self.options:
            words += f" --teacher {self.options['teacher']}"
        for folder in ("unlabelled", "negatives", "backbone"):
            words += f" --{folder} {folder.upper()}" if folder in self.options else ""
        return words


@dataclass(frozen=True)
class Outcome:
    """What came of it: the folder, the files in it and the figures on the card."""

    folder: Path
    model: Path
    card: Path
    parity: float
    figures: tuple[Mapping[str, Any], ...]


class Recipe(Protocol):
    """A module in ``recipes/``: one function."""

    def train(self, order: Order) -> Outcome:
        """Reads, learns, exports, measures, and writes the card."""
        ...
