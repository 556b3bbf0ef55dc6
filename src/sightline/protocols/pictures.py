"""Pictures of a wire request: multipart parts, or JSON that carries bytes, an address, or a place in S3."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sightline.errors import FetchRefused, ImageTooLarge, InvalidImage, InvalidOption, InvalidRequest, SourceFailed
from sightline.images.fetch import Fetcher
from sightline.serving.errors import UnsupportedMediaType
from sightline.settings import Settings


@dataclass(frozen=True, slots=True)
class Wire:
    """What a request carried: pictures as bytes or as references still to be fetched, and options; `typed` where
    these have JSON's types, and are not the text of a form."""

    pictures: dict[str, bytes | dict[str, Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    typed: bool = False


async def read_request(request: Request, names: Mapping[str, str]) -> Wire:
    """The pictures and options of a request. `names` maps a wire field to the picture it is.

    Raises `UnsupportedMediaType`, `InvalidRequest`, `InvalidOption`, `InvalidImage`.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, names)
    if kind == "application/json":
        return _read_json(await request.body(), names)
    said = f"not {kind!r}" if kind else "and names it in Content-Type"
    raise UnsupportedMediaType(f"a request is multipart/form-data or application/json, {said}")


async def _read_form(request: Request, names: Mapping[str, str]) -> Wire:
    wire = Wire()
    try:
        form = await request.form(max_files=16, max_fields=64)
    except HTTPException as error:
        raise InvalidRequest(f"the multipart body cannot be read: {error.detail}") from None
    try:
        for name, value in form.multi_items():
            if value == "" or (isinstance(value, UploadFile) and not value.filename and value.size == 0):
                continue  # a form sends its empty fields too
            if name in names:
                if names[name] in wire.pictures:
                    raise InvalidOption(f"the picture {names[name]!r} was given twice")
                if not isinstance(value, UploadFile):
                    raise InvalidImage(f"{name} is not a file; send it as one, with a file name")
                wire.pictures[names[name]] = await value.read()
            elif isinstance(value, UploadFile):
                raise InvalidOption(f"there is no picture {name!r}; there are: {', '.join(sorted(set(names)))}")
            else:
                wire.options[name] = value
    finally:
        await form.close()
    return wire


def _read_json(content: bytes, names: Mapping[str, str]) -> Wire:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None
    if not isinstance(members, dict):
        raise InvalidRequest("the body is not a JSON object")
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
        return Fetcher(settings.fetch_timeout, settings.max_bytes).get(reference["url"])
    return _from_s3(reference["s3"]["bucket"], reference["s3"]["key"], settings)


def _from_s3(bucket: str, key: str, settings: Settings) -> bytes:
    try:
        import boto3
        import botocore.exceptions
    except ImportError:
        raise FetchRefused("pictures from S3 need the extra: pip install 'sightline[aws]'") from None
    try:
        reply = boto3.client("s3").get_object(Bucket=bucket, Key=key)
        if reply["ContentLength"] > settings.max_bytes:
            raise ImageTooLarge(f"the object has {reply['ContentLength']:,} bytes; at most {settings.max_bytes:,} are")
        return bytes(reply["Body"].read())
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise SourceFailed(f"the object cannot be read from S3: {error}") from None
