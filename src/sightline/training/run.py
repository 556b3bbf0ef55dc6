"""The one way in: ``train("emotion", data, out)``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .order import Outcome

__all__ = ["train"]


def train(
    recipe: str,
    data: str | Path,
    out: str | Path,
    epochs: int | None = None,
    resume: bool = False,
    seed: int = 0,
    progress: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> Outcome:
    """Trains ``recipe`` on ``data`` and leaves ``model.onnx``, ``card.toml``, a log and plots in ``out``.

    ``epochs`` defaults to the recipe's own number. With ``resume`` it goes on from the checkpoint
    in ``out``. ``progress`` is called with every event; without it a bar (or plain lines) shows
    the run. ``options`` are the recipe's own: ``architecture`` and, for lungs, ``negatives``.
    Raises KeyError for an unknown recipe and `datasets.DataError` for data it cannot read.
    """
    from .order import Order
    from .progress import reporting
    from .recipes import recipe as find

    chosen = find(recipe)

    def ordered(report: Callable[[dict[str, Any]], None]) -> Order:
        return Order(Path(data), Path(out), report, epochs, resume, seed, options)

    if progress is not None:
        return chosen.train(ordered(progress))
    with reporting(recipe) as report:
        return chosen.train(ordered(report))
