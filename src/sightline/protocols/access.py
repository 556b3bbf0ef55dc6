"""Who may ask: the API key of the native protocol."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sightline.serving.errors import Unauthorized

if TYPE_CHECKING:
    from starlette.requests import Request


def check_key(request: Request, key: str | None) -> None:
    """Raise `Unauthorized` unless the request carries the key, as `X-API-Key` or as a bearer token. No key: open."""
    check_headers(request.headers, key)


def check_headers(headers: Mapping[str, str], key: str | None) -> None:
    """The same of headers alone, their names in lower case and their values read as Latin-1."""
    if key is None:
        return
    given = headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not given and scheme.lower() == "bearer":
        given = token.strip()
    # Headers are read as Latin-1, so this gives the bytes that came. They are compared in constant time: the
    # answer's delay tells nothing of the key.
    if not hmac.compare_digest(given.encode("latin-1"), key.encode()):
        raise Unauthorized("this server wants its API key, as X-API-Key or as a bearer token")
