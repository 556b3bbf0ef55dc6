"""Pictures of a wire request: multipart parts, or JSON that carries bytes, an address, or a place in S3."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sightline.errors import InvalidRequest
from sightline.protocols.wire import Part, Wire, read_json, read_parts
from sightline.serving.errors import UnsupportedMediaType


async def read_request(request: Request, names: Mapping[str, str]) -> Wire:
    """The pictures and options of a request. `names` maps a wire field to the picture it is.

    Raises `UnsupportedMediaType`, `InvalidRequest`, `InvalidOption`, `InvalidImage`.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, names)
    if kind == "application/json":
        return read_json(await request.body(), names)
    said = f"not {kind!r}" if kind else "and names it in Content-Type"
    raise UnsupportedMediaType(f"a request is multipart/form-data or application/json, {said}")


async def _read_form(request: Request, names: Mapping[str, str]) -> Wire:
    try:
        form = await request.form(max_files=16, max_fields=64)
    except HTTPException as error:
        raise InvalidRequest(f"the multipart body cannot be read: {error.detail}") from None
    try:
        parts = [
            Part(name, await value.read(), value.filename or "")
            if isinstance(value, UploadFile)
            else Part(name, value.encode("utf-8", "replace"))
            for name, value in form.multi_items()
        ]
    finally:
        await form.close()
    return read_parts(parts, names)
