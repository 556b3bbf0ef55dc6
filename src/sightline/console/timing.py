"""`sightline bench`."""

from __future__ import annotations

import json

from sightline.console import tables
from sightline.errors import Unavailable
from sightline.evaluation import bench
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry


def run(name: str | None, repeat: int, as_json: bool) -> None:
    """Time a task (None: every one whose models are here) and print the rows. Raises `UnknownTask`, and
    `Unavailable` for a task that cannot answer here: found out now, since each is timed in a process of its own."""
    if name is not None:
        registry.recipe(name)
        reason = registry.missing(name, Store(Settings.from_env(), pull=False))
        if reason:
            raise Unavailable(f"{name} cannot be timed: {reason}")
    rows = bench.run(name, repeat)
    if as_json:
        print(json.dumps(rows))
    else:
        tables.bench(rows)
