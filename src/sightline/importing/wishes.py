"""What the user says of the model: labels, and parts of a card."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption

Table = dict[str, Any]

_LARGEST = 1_000_000
# The import writes these itself: what they say has to be true of the stored file.
_OWN = ("files", "convert", "engine", "directory", "tasks")

# What data sets and projects call the seven emotions.
_EMOTIONS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "natural": "neutral",
    "calm": "neutral",
}


def read_card(path: Path | None) -> Table:
    """The members of a card that the user wrote, any of them. Raises `InvalidOption`."""
    if path is None:
        return {}
    try:
        table = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidOption(f"{path}: {error}") from None
    for name in ("input", "licence", "options", "thresholds"):
        if not isinstance(table.get(name, {}), dict):
            raise InvalidOption(f"{path}: {name!r} is not a table")
    for name in _OWN:
        if name in table:
            raise InvalidOption(f"{path}: {name!r} is written by the import itself; leave it out")
    return table


def read_labels(path: Path | None) -> tuple[str, ...]:
    """Names of a classifier's outputs, in their order: a name a line, or JSON (a list, {"0": name} or {name: 0}).

    Raises `InvalidOption`.
    """
    if path is None:
        return ()
    text = _text(path)
    if not text.lstrip().startswith(("[", "{")):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        found = json.loads(text)
        if isinstance(found, Mapping):
            by_number = found if all(str(key).isdigit() for key in found) else {v: k for k, v in found.items()}
            found = [name for _, name in sorted((int(key), name) for key, name in by_number.items())]
        if not all(isinstance(name, str) for name in found):
            raise TypeError("a label is no text")
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidOption(f"{path} does not name labels: {error}") from None
    return tuple(found)


def emotion(label: str) -> str:
    """The task's own word for an emotion."""
    word = label.strip().lower()
    return _EMOTIONS.get(word, word)


def merge(made: Table, wished: Mapping[str, Any]) -> Table:
    """`made` with the user's members in place of its own, table by table."""
    merged = dict(made)
    for name, value in wished.items():
        inside = merged.get(name)
        merged[name] = merge(inside, value) if isinstance(inside, dict) and isinstance(value, Mapping) else value
    return merged


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidOption(f"{path} is too large for a text of labels or a card")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption(f"cannot read {path}: {error}") from None
