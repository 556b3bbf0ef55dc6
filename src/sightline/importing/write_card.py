"""The card of an imported model: what the file tells, what was measured, and the user's own words over both."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from sightline.errors import InvalidCard, InvalidOption, ModelError
from sightline.models.card import Card
from sightline.training.card import to_toml

from .request import Request
from .source import Source
from .wishes import Table, merge

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNSTATED = "LicenseRef-unstated"


def name_of(request: Request, wished: Table) -> str:
    """The model's name: asked for, on the user's card, or made of the file's. Raises `InvalidOption`."""
    stem = request.file.name
    for suffix in (".weights.h5", ".h5", ".hdf5", ".keras", ".onnx", ".tflite", ".pt2", ".pth", ".pt"):
        stem = stem.removesuffix(suffix)
    made = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._") or "model"
    name = wished.get("name", made[:64]) if request.name is None else request.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(f"the name {name!r} is not lower-case letters, digits, dots and dashes")
    return name


def wished_shape(wished: Table) -> tuple[int, ...] | None:
    """The shape of one input by the user's card, None where it states no size. Raises `InvalidOption`."""
    table = wished.get("input", {})
    width, height = (table.get(name) if isinstance(table, dict) else None for name in ("width", "height"))
    if width is None and height is None:
        return None
    if not isinstance(width, int) or not isinstance(height, int) or not (0 < width <= 4096 and 0 < height <= 4096):
        raise InvalidOption("the card's [input] needs a width and a height of 1 to 4096 pixels")
    channels = 1 if table.get("colour") == "L" else 3
    return (height, width, channels) if table.get("layout") == "NHWC" else (channels, height, width)


def input_of(source: Source) -> Table:
    """The table `[input]` that a source's first input makes likely: pixels of 0..1 unless the network scales them.

    Raises `ModelError` for what is no picture.
    """
    shape = source.inputs[0].shape
    if len(shape) != 4 or any(size is None for size in shape[1:]):
        raise ModelError(
            f"the network takes {shape}; pictures are batch x height x width x channels (or channels first), of a "
            f"fixed size"
        )
    _, *rest = (int(size or 0) for size in shape)
    if rest[2] in (1, 3):
        layout, (height, width, channels) = "NHWC", rest
    elif rest[0] in (1, 3):
        layout, (channels, height, width) = "NCHW", rest
    else:
        raise ModelError(f"the network takes {shape}, which has neither 1 nor 3 channels")
    scale = 1.0 if source.wants_bytes else 1 / 255
    return {
        "width": width,
        "height": height,
        "layout": layout,
        "colour": "L" if channels == 1 else "RGB",
        "mean": [0.0] * channels,
        "scale": [scale] * channels,
    }


def draft(request: Request, source: Source, wished: Table) -> Table:
    """Every member that does not depend on the stored file."""
    title = request.file.name
    made = {
        "name": name_of(request, wished),
        "version": "1.0",
        "tasks": [request.task],
        "summary": f"Imported from {title} ({source.format}).",
        "training_data": "Not stated when the model was imported.",
        "licence": {
            "spdx": _UNSTATED,
            "holder": "not stated",
            "note": "The file carries no terms. State them here before the model is passed on.",
        },
        "input": input_of(source),
        "thresholds": {},
        "options": {"source_file": title, "source_sha256": sha256(request.file), "source_format": source.format},
    }
    if "licence" in wished:
        made["licence"] = {"spdx": _UNSTATED, "holder": "not stated"}
    return wish(made, wished)


def wish(table: Table, wished: Table) -> Table:
    """The table with the user's members over it, but for the name, which is settled before."""
    return merge(table, {key: value for key, value in wished.items() if key != "name"})


def provisional(table: Table) -> Card:
    """The card of a draft, for what depends on the input alone. Raises `InvalidOption`."""
    file = {"path": "none", "sha256": "0" * 64, "size": 0}
    return _parse({**table, "architecture": "none", "engine": "none", "files": [file]}, Path())


def card(table: Table, weights: Path, engine: str) -> Card:
    """The card as it will be read. Raises `InvalidOption` where the user's members make it none."""
    return _parse(complete(table, weights, engine), weights.parent)


def _parse(table: Table, directory: Path) -> Card:
    try:
        return Card.parse(table, directory)
    except InvalidCard as error:
        raise InvalidOption(f"the card would not be valid: {error}") from None


def write(table: Table, weights: Path, engine: str) -> Card:
    """Write `card.toml` beside the weights and read it back. Raises as `card`."""
    made = card(table, weights, engine)
    (weights.parent / "card.toml").write_text(to_toml(complete(table, weights, engine)), "utf-8")
    return made


def complete(table: Table, weights: Path, engine: str) -> Table:
    """The draft with the stored file."""
    file = {"path": weights.name, "sha256": sha256(weights), "size": weights.stat().st_size}
    whole: dict[str, Any] = {**table, "engine": engine, "files": [file]}
    return whole


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
