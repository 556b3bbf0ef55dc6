"""Questions are frozen dataclasses; this reads their fields, so that every protocol offers the same options.

A field of type `Picture` is a picture. Any other is an option of type `str`, `int`, `float` or `bool`
(`| None` where it may be left out). `asks(...)` attaches the help and the bounds.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any

from sightline.errors import InvalidOption
from sightline.images.picture import Picture

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
BOOLEANS = _TRUE + _FALSE
"""How yes and no are spelt where everything is text."""
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def asks(
    help: str,
    *,
    default: Any = MISSING,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    example: Any = None,
) -> Any:
    """A dataclass field of a question, with what a person needs to know of it."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum, "example": example}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class PictureField:
    """A picture the question takes."""

    name: str
    required: bool
    help: str


@dataclass(frozen=True, slots=True)
class OptionField:
    """An option the question takes."""

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] | None
    minimum: float | None
    maximum: float | None
    example: Any

    @property
    def json_type(self) -> str:
        """The JSON schema type."""
        return _JSON_TYPES[self.kind]

    def parse(self, value: Any) -> Any:
        """`value` (typed, or text from a form or a command line) as this option's type, within its bounds."""
        parsed = self._convert(value)
        if self.choices and parsed not in self.choices:
            raise InvalidOption(f"{self.name} is {_shown(value)}; it is one of {', '.join(self.choices)}")
        low = self.minimum is not None and parsed < self.minimum
        high = self.maximum is not None and parsed > self.maximum
        if low or high or parsed != parsed:
            raise InvalidOption(f"{self.name} is {_shown(value)}; it lies between {self.minimum} and {self.maximum}")
        if isinstance(parsed, str) and len(parsed) > 1000:
            raise InvalidOption(f"{self.name} has {len(parsed)} characters; at most 1000 are accepted")
        return parsed

    def _convert(self, value: Any) -> Any:
        wrong = InvalidOption(f"{self.name} is {_shown(value)}, which is not a {self.json_type}")
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.strip().lower() in BOOLEANS:
                return value.strip().lower() in _TRUE
            raise wrong
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise wrong
        if self.kind is str:
            if not isinstance(value, str):
                raise wrong
            return value
        try:
            if self.kind is int and isinstance(value, float) and not value.is_integer():
                raise ValueError
            return self.kind(value)
        except (ValueError, OverflowError):
            raise wrong from None


def _shown(value: Any) -> str:
    """A value from outside, short enough for a message."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out whole numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]}..."


@dataclass(frozen=True, slots=True)
class QuestionFields:
    """A question's pictures and options, in their order."""

    pictures: tuple[PictureField, ...]
    options: tuple[OptionField, ...]

    def parse(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options as typed values. None stands for "not given". Raises `InvalidOption`."""
        known = {option.name: option for option in self.options}
        for name in options:
            if name not in known:
                offered = ", ".join(known) or "none"
                raise InvalidOption(f"there is no option {name!r}; there are: {offered}")
        return {name: known[name].parse(value) for name, value in options.items() if value is not None}


def question_fields(question: type[Any]) -> QuestionFields:
    """The fields of a question's dataclass."""
    return _read_fields(question)  # type: ignore[arg-type]  # a class can be hashed whatever its instances can


@functools.cache
def _read_fields(question: type[Any]) -> QuestionFields:
    # Kept: resolving the annotations takes 20 microseconds, several times a request.
    hints = typing.get_type_hints(question)
    pictures, options = [], []
    for item in dataclasses.fields(question):
        kind = _strip_optional(hints[item.name])
        about = {"help": "", "choices": None, "minimum": None, "maximum": None, "example": None, **item.metadata}
        if kind is Picture:
            pictures.append(PictureField(item.name, item.default is MISSING, about["help"]))
        else:
            options.append(OptionField(item.name, kind, item.default, **about))
    return QuestionFields(tuple(pictures), tuple(options))


def _strip_optional(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(member for member in typing.get_args(hint) if member is not type(None))
    return hint
