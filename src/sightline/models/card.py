"""The card: everything about a set of weights that is data and not code, in one TOML file beside them.

`docs/cards.md` describes each table for those who write one.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import InvalidCard

LAYOUTS = ("NHWC", "NCHW", "HW")
COLOURS = ("RGB", "BGR", "L")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which weights answered: enough to find and to check them again."""

    name: str
    version: str
    sha256: str

    def to_dict(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file: its name beside the card, where it comes from, and what it must hash to."""

    path: str
    sha256: str
    size: int
    source: str | None = None
    """`pypi:NAME==VERSION/MEMBER`, `npm:NAME@VERSION/MEMBER`, `https://...`, `hf:ORG/REPO@REVISION/FILE`, `file:PATH`,
    `package:IMPORT/FILE` (inside an installed package), or nothing: the file is shipped beside the card."""


@dataclass(frozen=True, slots=True)
class Convert:
    """How the file that the engine loads is written from the pulled ones, once, on this machine."""

    importer: str
    output: str


@dataclass(frozen=True, slots=True)
class Input:
    """How a picture becomes the network's input: `(pixel - mean) * scale`, pixels 0..255, in `colour` order."""

    width: int
    height: int
    layout: str = "NHWC"
    colour: str = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms the weights may be used."""

    spdx: str
    holder: str
    url: str = ""
    research_only: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and the command that measures it again."""

    dataset: str
    metric: str
    value: float
    n: int
    command: str


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card. `directory` is the folder that holds `card.toml`."""

    name: str
    version: str
    tasks: tuple[str, ...]
    architecture: str
    engine: str
    summary: str
    files: tuple[WeightsFile, ...]
    licence: Licence
    input: Input
    training_data: str
    convert: Convert | None = None
    labels: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only this architecture knows of: anchors, strides, ..."""
    figures: tuple[Figure, ...] = ()
    directory: Path = Path()

    @property
    def identity(self) -> Identity:
        """The identity that answers carry; the hash is that of the first file, the weights as published."""
        return Identity(self.name, self.version, self.files[0].sha256)

    @property
    def shipped(self) -> bool:
        """Whether every file lies beside the card, so that no network is ever needed."""
        return all(file.source is None for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """What people ask of a card, as JSON members."""
        return {
            **self.identity.to_dict(),
            "tasks": list(self.tasks),
            "architecture": self.architecture,
            "summary": self.summary,
            "bytes": self.size,
            "licence": dataclasses.asdict(self.licence),
            "training_data": self.training_data,
            "figures": [dataclasses.asdict(figure) for figure in self.figures],
        }

    def threshold(self, name: str) -> float:
        """The threshold `name`. Raises `InvalidCard` where the card has none."""
        try:
            return float(self.thresholds[name])
        except KeyError:
            raise InvalidCard(f"the card of {self.name} has no threshold {name!r}") from None

    @classmethod
    def load(cls, path: Path) -> Card:
        """Read `card.toml`. Raises `InvalidCard` naming the file and the member that is wrong."""
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidCard(f"{path}: {error}") from None
        try:
            return cls.parse(table, path.parent)
        except InvalidCard as error:
            raise InvalidCard(f"{path}: {error}") from None

    @classmethod
    def parse(cls, table: Mapping[str, Any], directory: Path = Path()) -> Card:
        """A card from its TOML table. Raises `InvalidCard` for an unknown, missing or ill-typed member."""
        card: Card = _build(cls, {**table, "directory": directory}, "card")
        if not _NAME.fullmatch(card.name):
            raise InvalidCard(f"name {card.name!r} is not lower-case letters, digits, dots and dashes")
        if not card.files:
            raise InvalidCard("a card names at least one file")
        for file in card.files:
            if not _SHA256.fullmatch(file.sha256):
                raise InvalidCard(f"sha256 of {file.path} is not 64 lower-case hexadecimal digits")
            if Path(file.path).name != file.path or file.path in ("", ".", ".."):
                raise InvalidCard(f"file path {file.path!r} is not a plain file name")
        spec = card.input
        if spec.layout not in LAYOUTS or spec.colour not in COLOURS:
            raise InvalidCard(f"input is {spec.layout}, {spec.colour}; it is one of {LAYOUTS}, one of {COLOURS}")
        if spec.width < 1 or spec.height < 1 or len(spec.mean) != len(spec.scale):
            raise InvalidCard("input has a size of at least one pixel, and as many numbers in mean as in scale")
        for name, value in card.thresholds.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidCard(f"threshold {name} is {value!r}, not a number")
        if not card.licence.spdx:
            raise InvalidCard("a card states the licence of its weights")
        return card


def _build(kind: Any, value: Any, where: str) -> Any:
    """Turn plain TOML values into the annotated type, strictly: a misspelt key must not pass in silence."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise InvalidCard(f"{where} is not a table")
        hints = typing.get_type_hints(kind)
        known = {item.name: item for item in dataclasses.fields(kind)}
        for key in value:
            if key not in known:
                raise InvalidCard(f"{where} has an unknown member {key!r}")
        for name, item in known.items():
            optional = item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
            if name not in value and not optional:
                raise InvalidCard(f"{where} has no member {name!r}")
        made = {key: _build(hints[key], member, f"{where}.{key}") for key, member in value.items()}
        return kind(**made)  # type: ignore[operator]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _build(next(a for a in arguments if a is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InvalidCard(f"{where} is not a list")
        return tuple(_build(arguments[0], member, f"{where}[{index}]") for index, member in enumerate(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is not None or kind is Any:  # Mapping[str, ...]: kept as it is
        if origin is not None and not isinstance(value, Mapping):
            raise InvalidCard(f"{where} is not a table")
        return value
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidCard(f"{where} is {value!r}, not a {kind.__name__}")
    return value
