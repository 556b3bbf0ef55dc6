"""`sightline bench --tune`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sightline.console import scatter
from sightline.errors import Unavailable
from sightline.evaluation.bench import photo
from sightline.models.store import Store
from sightline.serving import profile
from sightline.serving.tune import Tried, tune
from sightline.settings import Settings
from sightline.tasks import registry


def run(name: str, seconds: float, plot: Path | None, as_json: bool) -> None:
    """Try every way, print the table, keep the best. Raises `UnknownTask`, and `Unavailable` for a task that cannot
    answer here."""
    settings = replace(Settings.from_env(), online=False, max_queue=1000)
    registry.recipe(name)
    reason = registry.missing(name, Store(settings, pull=False))
    if reason:
        raise Unavailable(f"{name} cannot be timed: {reason}")
    found = tune(name, photo(1280), settings, seconds, _said)
    profile.write(settings.profile, found[0].way, name)
    if plot is not None:
        points = [(tried.per_second, tried.p99_ms, _label(tried)) for tried in found]
        scatter.draw(points, ("questions a second", "p99, ms"), f"{name} on {profile.machine()}").save(plot)
    if as_json:
        print(json.dumps({"profile": str(settings.profile), "tried": [tried.to_dict() for tried in found]}))
        return
    table = Table("tried, best first", box=None, pad_edge=False)
    for heading in ("a second", "p50", "p99", "one client"):
        table.add_column(heading, justify="right", no_wrap=True)
    for tried in found:
        times = (f"{value:.0f} ms" for value in (tried.p50_ms, tried.p99_ms, tried.alone_ms))
        table.add_row(_label(tried), f"{tried.per_second:.1f}", *times)
    Console().print(table)
    print(f"`sightline serve` follows the first line from now on: {settings.profile}")


def _said(tried: Tried) -> None:
    print(f"{_label(tried)}: {tried.per_second:.1f} a second, p99 {tried.p99_ms:.0f} ms", file=sys.stderr)


def _label(tried: Tried) -> str:
    way = tried.way
    text = f"{way.max_concurrency} {way.executor}, {way.threads} core{'s' * (way.threads > 1)} each"
    if way.batch_size > 1:
        text += f", batches up to {way.batch_size}"
    return text + (f" after {way.batch_wait_ms:g} ms" if way.batch_wait_ms else "")
