"""What a request carried, whichever way it came: pictures as bytes, as an address, or as a place in S3; and options.

Knows no web framework: the HTTP server and the Lambda handler share it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import FetchRefused, InvalidImage, InvalidOption, InvalidRequest
from sightline.protocols.objects import Objects
from sightline.settings import Settings


@dataclass(frozen=True, slots=True)
class Wire:
    """What a request carried: pictures as bytes or as references still to be fetched, and options; `typed` where
    these have JSON's types, and are not the text of a form."""

    pictures: dict[str, bytes | dict[str, Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form: a file where it has a file name (which may be empty), else the text of a field."""

    name: str
    content: bytes
    filename: str | None = None


def read_parts(parts: Iterable[Part], names: Mapping[str, str]) -> Wire:
    """The pictures and options of a form. `names` maps a field to the picture it is. Raises `InvalidOption`,
    `InvalidImage`."""
    wire = Wire()
    for part in parts:
        if not part.content and not part.filename:
            continue  # a form sends its empty fields too
        if part.name in names:
            if names[part.name] in wire.pictures:
                raise InvalidOption(f"the picture {names[part.name]!r} was given twice")
            if part.filename is None:
                raise InvalidImage(f"{part.name} is not a file; send it as one, with a file name")
            wire.pictures[names[part.name]] = part.content
        elif part.filename is not None:
            raise InvalidOption(f"there is no picture {part.name!r}; there are: {', '.join(sorted(set(names)))}")
        else:
            wire.options[part.name] = part.content.decode("utf-8", "replace")
    return wire


def read_json(content: bytes, names: Mapping[str, str]) -> Wire:
    """The pictures and options of a JSON body. `names` maps a member to the picture it is. Raises `InvalidRequest`,
    `InvalidOption`, `InvalidImage`."""
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None
    if not isinstance(members, dict):
        raise InvalidRequest("the body is not a JSON object")
    return read_members(members, names)


def read_members(members: Mapping[str, Any], names: Mapping[str, str]) -> Wire:
    """The pictures and options of a JSON object. Raises as `read_json`."""
    wire = Wire(typed=True)
    for name, value in members.items():
        if name not in names:
            wire.options[name] = value
        elif value is not None:
            if names[name] in wire.pictures:
                raise InvalidOption(f"the picture {names[name]!r} was given twice")
            wire.pictures[names[name]] = _json_picture(name, value)
    return wire


def _json_picture(name: str, value: Any) -> bytes | dict[str, Any]:
    shape = f'{name} is {{"bytes": "<base64>"}}, {{"url": "..."}} or {{"s3": {{"bucket": "...", "key": "..."}}}}'
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidRequest(shape)
    (how, what), *_ = value.items()
    if how == "bytes" and isinstance(what, str):
        try:
            return base64.b64decode(what, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidImage(f"the bytes of {name} are not base64") from None
    if how == "url" and isinstance(what, str):
        return value
    if how == "s3" and isinstance(what, dict) and all(isinstance(what.get(part), str) for part in ("bucket", "key")):
        return value
    raise InvalidRequest(shape)


def fetch(wire: Wire, settings: Settings) -> dict[str, bytes]:
    """Every picture as bytes; blocks, so it belongs into a worker. Raises `FetchRefused` where the server does not
    fetch, and what fetching raises."""
    return {
        name: picture if isinstance(picture, bytes) else _fetch_one(picture, settings)
        for name, picture in wire.pictures.items()
    }


def _fetch_one(reference: dict[str, Any], settings: Settings) -> bytes:
    if settings.offline or not settings.online:
        raise FetchRefused("this server does not fetch pictures; send the bytes, or start it with --online")
    if "url" in reference:
        # Imported here: the HTTP client behind it takes longer to load than a picture to answer for.
        from sightline.images.fetch import Fetcher

        return Fetcher(settings.fetch_timeout, settings.max_bytes).get(reference["url"])
    return Objects().get(reference["s3"]["bucket"], reference["s3"]["key"], settings.max_bytes)
