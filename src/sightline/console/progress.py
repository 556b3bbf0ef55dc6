"""Progress: a bar on a terminal, plain lines elsewhere. Always on stderr; stdout is for answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from sightline.evaluation.base import Progress as Count
from sightline.models.pull import Progress as Report


@contextmanager
def download_bar() -> Iterator[Report]:
    """Something for `Store(progress=...)`."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bar:
        rows: dict[str, TaskID] = {}

        def report(file: str, done: int, total: int | None) -> None:
            if file not in rows:
                rows[file] = bar.add_task(file)
            bar.update(rows[file], completed=done, total=total)

        yield report


@contextmanager
def counted(what: str) -> Iterator[Count]:
    """Something that is told how many of how many are done."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task(what)

        def count(done: int, total: int) -> None:
            bar.update(row, completed=done, total=total)

        yield count


class _Lines:
    """One line when a file begins and one when it is whole: logs are not flooded."""

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def __call__(self, file: str, done: int, total: int | None) -> None:
        if file not in self._begun:
            self._begun.add(file)
            size = f" ({total:,} bytes)" if total else ""
            print(f"pulling {file}{size}", file=sys.stderr)
