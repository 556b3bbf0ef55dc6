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
    # Starlette reads headers as Latin-1, so this gives the bytes that came. They are compared in constant time: the
    # answer's delay tells nothing of the key.
    if not hmac.compare_digest(given.encode("latin-1"), key.encode()):
        raise Unauthorized("this server wants its API key, as X-API-Key or as a bearer token")
