"""How a run is shown: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .loop import Report

__all__ = ["reporting"]


def _line(event: dict[str, Any]) -> str:
    hidden = {"event", "epoch", "rate"}
    facts = "  ".join(
        f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in event.items() if k not in hidden
    )
    return f"epoch {event['epoch'] + 1}  {facts}"


@contextmanager
def reporting(name: str) -> Iterator[Report]:
    """A `Report` that draws with rich where standard error is a terminal, else prints lines."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(name, total=None, note="")

        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "start":
                plan = event["plan"]
                done = event["epoch"] * plan["steps"]
                bars.update(bar, total=plan["epochs"] * plan["steps"], completed=done)
            elif event["event"] == "step":
                bars.update(bar, advance=1, note=f"loss {event['loss']:.4f}")
            elif event["event"] == "epoch":
                bars.console.print(_line(event))
            else:
                bars.console.print(event["event"])

        yield tell


def _plain(event: dict[str, Any]) -> None:
    if event["event"] == "epoch":
        print(_line(event), file=sys.stderr, flush=True)
    elif event["event"] not in ("step", "start"):
        print(event["event"], file=sys.stderr, flush=True)
