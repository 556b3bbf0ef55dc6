"""Who may ask: the API key of the native protocol."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from sightline.serving.errors import Unauthorized


def check_key(request: Request, key: str | None) -> None:
    """Raise `Unauthorized` unless the request carries the key, as `X-API-Key` or as a bearer token. No key: open."""
    if key is None:
        return
    given = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not given and scheme.lower() == "bearer":
        given = token.strip()
    # Compared as bytes and in constant time: the answer's delay tells nothing of the key.
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode()):
        raise Unauthorized("this server wants its API key, as X-API-Key or as a bearer token")
