"""Input as the service model wants it: JSON in, Python values out, or the error that the operation declares.

As AWS's JSON protocol has it, a null member counts as one that was not given, and a member that the model does not
know is ignored. Rekognition itself answers a broken constraint with ValidationException and a wrong JSON type with
SerializationException, which its model does not declare; here both are the declared InvalidParameterException, so that
a client's handler for it sees them.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from sightline.protocols.rekognition.faults import Fault, invalid
from sightline.protocols.rekognition.model import Operation, Shape, matcher, service_model

Members = dict[str, Any]
"""The members of an input or an output: blobs are bytes, timestamps of an output aware datetimes."""

_JAVA_MAX = {"integer": 2**31 - 1, "long": 2**63 - 1}
_TOO_LARGE = "ImageTooLargeException"


def parse_body(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a request's body; an empty body is an empty object. Raises `Fault`."""
    if not body:
        return {}
    try:
        members = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Fault("SerializationException", "the body is not JSON") from None
    if not isinstance(members, dict):
        raise Fault("SerializationException", "the body is not a JSON object")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def parse_input(operation: Operation, members: Mapping[str, Any]) -> Members:
    """The typed input of an operation. Raises `Fault` with an error that the operation declares."""
    parsed: Members = _Parser(operation).structure(service_model().shapes[operation.input], members, "")
    return parsed


class _Parser:
    """Walks one input."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._shapes = service_model().shapes

    def parse(self, shape: Shape, value: Any, where: str) -> Any:
        match shape.kind:
            case "structure":
                return self.structure(shape, value, where)
            case "list":
                return self._list(shape, value, where)
            case "map":
                return self._map(shape, value, where)
            case "string":
                return self._string(shape, value, where)
            case "blob":
                return self._blob(shape, value, where)
            case "boolean":
                if not isinstance(value, bool):
                    raise _wrong_type("true or false", value, where)
                return value
            case _:
                return self._number(shape, value, where)

    def structure(self, shape: Shape, value: Any, where: str) -> Members:
        if not isinstance(value, Mapping):
            raise _wrong_type("an object", value, where)
        parsed = {}
        for name, target in shape.members.items():
            if value.get(name) is not None:
                parsed[name] = self.parse(self._shapes[target], value[name], _below(where, name))
        for name in shape.required:
            if name not in parsed:
                raise _broken(None, _below(where, name), "Member must not be null")
        return parsed

    def _list(self, shape: Shape, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type("a list", value, where)
        _check_length(shape, len(value), f"a list of {len(value)}", where)
        item = self._shapes[shape.item]
        return [self._entry(item, entry, f"{where}.{index + 1}.member") for index, entry in enumerate(value)]

    def _map(self, shape: Shape, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong_type("an object", value, where)
        _check_length(shape, len(value), f"a map of {len(value)}", where)
        key, item = self._shapes[shape.key], self._shapes[shape.value]
        return {
            self._string(key, name, f"{where}.key"): self._entry(item, entry, f"{where}.{name[:40]}.member")
            for name, entry in value.items()
        }

    def _entry(self, shape: Shape, value: Any, where: str) -> Any:
        if value is None:
            raise _broken(None, where, "Member must not be null")
        return self.parse(shape, value, where)

    def _string(self, shape: Shape, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise _wrong_type("a string", value, where)
        # Lone surrogates, which JSON's escapes can spell, cannot be stored or sent as UTF-8.
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise _wrong_type("a string of Unicode characters", value, where)
        _check_length(shape, len(value), value, where)
        if shape.enum and value not in shape.enum:
            raise _broken(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        if shape.pattern is not None and not matcher(shape.pattern).fullmatch(value):
            raise _broken(value, where, f"Member must satisfy regular expression pattern: {shape.pattern}")
        return value

    def _number(self, shape: Shape, value: Any, where: str) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type("a number", value, where)
        number: int | float = value
        limit = _JAVA_MAX.get(shape.kind)
        if limit is not None:
            # JSON has one kind of number: 5.0 is the whole number 5.
            if isinstance(value, float):
                if not value.is_integer():
                    raise _wrong_type("a whole number", value, where)
                number = int(value)
            if abs(number) > limit:
                raise _wrong_type(f"a whole number of at most {limit}", value, where)
        elif abs(number) > 3.4e38 or not math.isfinite(number):
            raise _wrong_type("a number that fits a float", value, where)
        if shape.minimum is not None and number < shape.minimum:
            raise _broken(value, where, f"Member must have value greater than or equal to {shape.minimum}")
        if shape.maximum is not None and number > shape.maximum:
            raise _broken(value, where, f"Member must have value less than or equal to {shape.maximum}")
        return number

    def _blob(self, shape: Shape, value: Any, where: str) -> bytes:
        if not isinstance(value, str):
            raise _wrong_type("base64", value, where)
        most = shape.maximum
        # Counted before decoding: four characters stand for three bytes.
        if most is not None and len(value) // 4 * 3 - 2 > most:
            raise self._too_large(len(value) // 4 * 3, most, where)
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise invalid(f"{_pointer(where)} is not base64") from None
        if most is not None and len(data) > most:
            raise self._too_large(len(data), most, where)
        if shape.minimum is not None and len(data) < shape.minimum:
            raise _broken(f"{len(data)} bytes", where, _at_least(shape.minimum))
        return data

    def _too_large(self, size: int, most: float, where: str) -> Fault:
        name = _TOO_LARGE if _TOO_LARGE in self._operation.errors else "InvalidParameterException"
        return Fault(name, f"{_pointer(where)} has {size:,} bytes; at most {most:,.0f} are accepted")


def _check_length(shape: Shape, length: int, shown: str, where: str) -> None:
    if shape.minimum is not None and length < shape.minimum:
        raise _broken(shown, where, _at_least(shape.minimum))
    if shape.maximum is not None and length > shape.maximum:
        raise _broken(shown, where, f"Member must have length less than or equal to {shape.maximum}")


def _at_least(minimum: float) -> str:
    return f"Member must have length greater than or equal to {minimum}"


def _broken(value: Any, where: str, constraint: str) -> Fault:
    said = "null" if value is None else _short(value)
    return invalid(
        f"1 validation error detected: Value '{said}' at '{_pointer(where)}' failed to satisfy constraint: {constraint}"
    )


def _wrong_type(wanted: str, value: Any, where: str) -> Fault:
    kind = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}.get(type(value))
    said = kind or (_short(value) if isinstance(value, int | float) else "null")
    return invalid(f"{_pointer(where)} has to be {wanted}, not {said}")


def _short(value: Any) -> str:
    """A value from outside, in one short line of printable characters."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of very many digits"  # Python refuses to write out thousands of them
    text = "".join(character if character.isprintable() else "?" for character in str(value))
    return text if len(text) <= 60 else f"{text[:60]}..."


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _pointer(where: str) -> str:
    """A member's path as AWS writes it: lower camel case."""
    text = ".".join(part[:1].lower() + part[1:] for part in where.split(".")) or "the body"
    return _short(text)
