"""Who calls: the key that signed a request, or anybody where this server lets anybody in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from sightline.protocols.rekognition import sigv4
from sightline.protocols.rekognition.faults import Fault
from sightline.protocols.rekognition.keys import ANYBODY, Key
from sightline.protocols.rekognition.model import service_model
from sightline.settings import Settings

DEFAULT_REGION = "us-east-1"
_SCOPE_REGION = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]{1,32})/")


@dataclass(frozen=True, slots=True)
class Caller:
    """A key and the region that it signed for, which is the region of the names it gets back."""

    key: Key
    region: str


class Claim:
    """What a request's headers claim; `proven` holds it against the body."""

    def __init__(self, caller: Caller, signed: sigv4.Signed | None, request: Request) -> None:
        self._caller, self._signed = caller, signed
        self._headers = _headers(request)
        self._path = request.scope.get("raw_path", b"/").decode("latin-1")
        self._query = request.scope.get("query_string", b"").decode("latin-1")

    def proven(self, body: bytes) -> Caller:
        """The caller. Raises `Fault` where the signature is not that of this request."""
        if self._signed is not None:
            secret = self._caller.key.secret_access_key
            sigv4.verify(self._signed, secret, "POST", self._path, self._query, self._headers, body)
        return self._caller


class Doorkeeper:
    """Reads claims off requests."""

    def __init__(self, keys: Mapping[str, Key], settings: Settings) -> None:
        self._keys, self._settings = keys, settings

    def claim(self, request: Request) -> Claim:
        """What the headers of `request` claim. Raises `Fault` where they already show that it cannot be let in."""
        headers = _headers(request)
        if not self._keys:
            self._check_anonymous(request)
            authorization = request.headers.get("authorization", "")
            found = _SCOPE_REGION.search(authorization)
            return Claim(Caller(ANYBODY, found[1] if found else DEFAULT_REGION), None, request)
        signed = sigv4.read_authorization(headers, service_model().signing_name)
        key = self._keys.get(signed.access_key_id)
        # Keys of this server have no session: a token says that the key is another's.
        if key is None or "x-amz-security-token" in request.headers:
            raise Fault("UnrecognizedClientException", "The security token included in the request is invalid.")
        sigv4.check_time(signed, datetime.now(UTC))
        return Claim(Caller(key, signed.region), signed, request)

    def _check_anonymous(self, request: Request) -> None:
        """Raise `Fault` unless callers without a key are let in from where this one is."""
        if self._settings.aws_anonymous:
            return
        client = request.client.host if request.client else ""
        # The name as well: a page of another site can be made to reach this address under a name of its own
        # (DNS rebinding). And a key for the native protocol says that this machine's users are not all one.
        if _is_loopback(client) and _is_loopback(_name(request)) and self._settings.api_key is None:
            return
        raise Fault(
            "MissingAuthenticationTokenException"
            if "authorization" not in request.headers
            else "UnrecognizedClientException",
            "this server has no AWS keys and lets only its own machine in without one: set SIGHTLINE_AWS_ACCESS_KEY_ID "
            "and SIGHTLINE_AWS_SECRET_ACCESS_KEY or SIGHTLINE_AWS_KEYS_FILE, or SIGHTLINE_AWS_ANONYMOUS=1",
        )


def _headers(request: Request) -> sigv4.Headers:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.scope["headers"]]


def _name(request: Request) -> str:
    """The name that the caller has for this server, without its port."""
    host = request.headers.get("host", "")
    address, closed, _ = host.partition("]")
    return address[1:] if closed and address.startswith("[") else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
