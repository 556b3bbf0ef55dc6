"""What every evaluation reports, and the progress it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sightline.errors import InvalidOption

T = TypeVar("T")
R = TypeVar("R")


class Progress(Protocol):
    """Told how far an evaluation is."""

    def __call__(self, done: int, total: int) -> None: ...


def nothing(done: int, total: int) -> None:
    """No progress shown."""


def in_threads(
    work: Callable[[T], R], items: Iterable[T], workers: int, progress: Progress = nothing
) -> Iterator[tuple[T, R]]:
    """`work` on every item, on `workers` threads (the engines release the interpreter lock), in order."""
    everything = list(items)
    with ThreadPoolExecutor(workers) as pool:
        for done, (item, result) in enumerate(zip(everything, pool.map(work, everything), strict=True), 1):
            progress(done, len(everything))
            yield item, result


def folder(data: Path, name: str = "") -> Path:
    """A folder of the data. Raises `InvalidOption` where it is missing."""
    path = data / name if name else data
    if not path.is_dir():
        raise InvalidOption(f"{path} is not a folder")
    return path


def skipped(reasons: dict[str, str]) -> dict[str, Any]:
    """Items that could not be judged: how many, and why the first of them."""
    return {"count": len(reasons), "why": dict(list(reasons.items())[:20])}
