"""Rekognition's service model, as botocore ships it: every operation, shape, limit and error comes from there.

Only botocore's data file is read; none of its modules is imported.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sightline.errors import Unavailable

_FILE = "data/rekognition/2016-06-27/service-2.json.gz"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value of the wire may be. Members, items, keys and values are named shapes of the same model."""

    name: str
    kind: str
    """`structure`, `list`, `map`, `string`, `integer`, `long`, `float`, `double`, `boolean`, `blob` or `timestamp`."""
    members: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    item: str = ""
    key: str = ""
    value: str = ""
    minimum: float | None = None
    maximum: float | None = None
    """Of a number; of the length of a string, a list or a map; of the bytes of a blob."""
    pattern: str | None = None
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the shapes of its input and output, and the errors it declares."""

    name: str
    input: str
    output: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """The whole model."""

    target_prefix: str
    json_version: str
    signing_name: str
    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]
    statuses: Mapping[str, int]
    """The HTTP status of each declared error."""


@cache
def service_model() -> ServiceModel:
    """The model of the botocore that is installed. Raises `Unavailable` where there is none."""
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("Rekognition's protocol needs botocore's description of it: pip install botocore")
    data: dict[str, Any] = json.loads(gzip.decompress((Path(spec.submodule_search_locations[0]) / _FILE).read_bytes()))
    metadata = data["metadata"]
    operations = {
        name: Operation(
            name,
            operation["input"]["shape"],
            operation["output"]["shape"],
            tuple(dict.fromkeys(error["shape"] for error in operation.get("errors", ()))),
        )
        for name, operation in data["operations"].items()
    }
    return ServiceModel(
        target_prefix=metadata["targetPrefix"],
        json_version=metadata["jsonVersion"],
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        operations=operations,
        shapes={name: _shape(name, shape) for name, shape in data["shapes"].items()},
        statuses={name: _status(shape) for name, shape in data["shapes"].items() if shape.get("exception")},
    )


def _shape(name: str, shape: Mapping[str, Any]) -> Shape:
    return Shape(
        name,
        shape["type"],
        members={member: target["shape"] for member, target in shape.get("members", {}).items()},
        required=tuple(shape.get("required", ())),
        item=shape.get("member", {}).get("shape", ""),
        key=shape.get("key", {}).get("shape", ""),
        value=shape.get("value", {}).get("shape", ""),
        minimum=shape.get("min"),
        maximum=shape.get("max"),
        pattern=shape.get("pattern"),
        enum=tuple(shape.get("enum", ())),
    )


def _status(shape: Mapping[str, Any]) -> int:
    # What botocore assumes of an error that names no status: the caller's fault unless it is the service's.
    declared = shape.get("error", {}).get("httpStatusCode")
    return int(declared) if declared else 500 if shape.get("fault") else 400


@cache
def matcher(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, for `fullmatch`. The model's patterns are Java's: ASCII classes, and `\\p{L}` for a
    Unicode category."""
    return re.compile(re.sub(r"\\p\{(\w)\}", lambda found: _category(found[1]), pattern), re.ASCII)


@cache
def _category(letter: str) -> str:
    """The characters of a major Unicode category, as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] == letter:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
