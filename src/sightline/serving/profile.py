"""What was found best for serving on this machine, kept in a file between `bench --tune` and `serve`."""

from __future__ import annotations

import json
import logging
import os
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption
from sightline.settings import Settings

log = logging.getLogger("sightline")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve: members of `Settings` by the same names."""

    executor: str
    max_concurrency: int
    threads: int
    sessions: int
    batch_size: int
    batch_wait_ms: float

    def on(self, settings: Settings) -> Settings:
        """The settings, with this way."""
        return replace(settings, **asdict(self))


def machine() -> str:
    """What a profile is good for: the processor and the number of cores."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as info:
            model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores"


def write(path: Path, way: Way, task: str) -> None:
    """Keep `way`, found best for `task`, for this machine."""
    lines = [f"machine = {json.dumps(machine())}", f"task = {json.dumps(task)}", ""]
    # JSON's strings and numbers are TOML's too.
    lines += [f"{name} = {json.dumps(value)}" for name, value in asdict(way).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def read(path: Path) -> Way | None:
    """The way kept for this machine; None where there is none. Raises `InvalidOption` for a file that is no profile."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidOption(f"{path}: {error}") from None
    if table.get("machine") != machine():
        log.info("the profile of %s is for another machine; `sightline bench --tune` makes one for this", path.name)
        return None
    try:
        way = Way(**{item.name: table[item.name] for item in fields(Way)})
    except KeyError as error:
        raise InvalidOption(f"{path}: {error.args[0]} is missing; `sightline bench --tune` writes it anew") from None
    for item in fields(Way):
        value: Any = getattr(way, item.name)
        if isinstance(value, bool) or type(value).__name__ not in (
            str(item.type),
            "int" if item.type == "float" else "",
        ):
            raise InvalidOption(f"{path}: {item.name} is {value!r}, which is not a {item.type}")
    return way


def follow(settings: Settings, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings with what this machine's profile says, less what a variable `SIGHTLINE_<FIELD>` says itself."""
    way = read(settings.profile)
    if way is None:
        return settings
    given = os.environ if environ is None else environ
    chosen = {name: value for name, value in asdict(way).items() if not given.get(f"SIGHTLINE_{name.upper()}")}
    return replace(settings, **chosen)
