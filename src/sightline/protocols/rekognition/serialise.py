"""Replies as the service model has them: a handler's values in, JSON out.

A reply that does not fit its shape is this program's mistake and raises `ReplyError`; the tests hold every reply to
its shape from outside as well.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sightline.protocols.rekognition.model import Operation, Shape, service_model


class ReplyError(Exception):
    """A reply does not fit its shape."""


def write_output(operation: Operation, members: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON members of a reply. A member that is None is left out. Raises `ReplyError`."""
    written: dict[str, Any] = _write(service_model().shapes[operation.output], members, operation.output)
    return written


def _write(shape: Shape, value: Any, where: str) -> Any:
    match shape.kind:
        case "structure":
            return _structure(shape, value, where)
        case "list":
            item = service_model().shapes[shape.item]
            return [_write(item, entry, f"{where}[]") for entry in _checked(value, list | tuple, where)]
        case "map":
            item = service_model().shapes[shape.value]
            return {
                name: _write(item, entry, f"{where}{{}}") for name, entry in _checked(value, Mapping, where).items()
            }
        case "string":
            return _string(shape, value, where)
        case "blob":
            return base64.b64encode(_checked(value, bytes, where)).decode()
        case "boolean":
            return _checked(value, bool, where)
        case "timestamp":
            return _timestamp(value, where)
        case _:
            return _number(shape, value, where)


def _structure(shape: Shape, value: Any, where: str) -> dict[str, Any]:
    members = {name: member for name, member in _checked(value, Mapping, where).items() if member is not None}
    unknown = members.keys() - shape.members.keys()
    if unknown:
        raise ReplyError(f"{where} has no {', '.join(sorted(unknown))}")
    absent = set(shape.required) - members.keys()
    if absent:
        raise ReplyError(f"{where} lacks {', '.join(sorted(absent))}")
    shapes = service_model().shapes
    return {name: _write(shapes[shape.members[name]], member, f"{where}.{name}") for name, member in members.items()}


def _string(shape: Shape, value: Any, where: str) -> str:
    # Lengths and patterns are not looked at again: such strings came in through the same shapes, and a stored one
    # that did not must not make its whole list unreadable.
    text: str = _checked(value, str, where)
    if shape.enum and text not in shape.enum:
        raise ReplyError(f"{where} is {text!r}, which is not one of {', '.join(shape.enum)}")
    return str(text)


def _number(shape: Shape, value: Any, where: str) -> int | float:
    if shape.kind in ("integer", "long"):
        number: int | float = _checked(value, int, where)
    else:
        number = float(_checked(value, int | float, where))
        if not math.isfinite(number):
            raise ReplyError(f"{where} is {number}")
        if shape.kind == "float":
            number = float(f"{number:.7g}")  # single precision holds no more
    low, high = shape.minimum, shape.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise ReplyError(f"{where} is {number}, outside of {low} to {high}")
    return number


def _timestamp(value: Any, where: str) -> float:
    moment: datetime = _checked(value, datetime, where)
    if moment.tzinfo is None:
        raise ReplyError(f"{where} has no time zone")
    return round(moment.astimezone(UTC).timestamp(), 3)


def _checked(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ReplyError(f"{where} is a {type(value).__name__}")
    return value
