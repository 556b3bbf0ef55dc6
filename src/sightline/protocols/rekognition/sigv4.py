"""AWS Signature Version 4, the server's side: who signed a request, and whether the signature is theirs.

The algorithm and its names are those of the AWS reference "Create a signed AWS API request"; the errors and their
wording are those that AWS services of the JSON protocol give.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sightline.protocols.rekognition.faults import Fault

SKEW = timedelta(minutes=5)
ALGORITHM = "AWS4-HMAC-SHA256"
_TERMINATION = "aws4_request"
_ISO = "%Y%m%dT%H%M%SZ"
# What decides what a request does: unsigned, it could be changed under way.
_MUST_BE_SIGNED = ("host", "x-amz-target", "x-amz-security-token", "x-amz-content-sha256")
_REGION = re.compile(r"[a-z0-9-]{1,32}")

Headers = Sequence[tuple[str, str]]
"""(name in lower case, value) as they came, in their order."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What the Authorization header says."""

    access_key_id: str
    date: str
    """The day of the credential scope, YYYYMMDD."""
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    """The moment of signing, YYYYMMDDTHHMMSSZ."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{_TERMINATION}"


def read_authorization(headers: Headers, service: str) -> Signed:
    """Who says that they signed, for which region and when. Nothing is verified yet.

    Raises `Fault`: MissingAuthenticationTokenException, IncompleteSignatureException, InvalidSignatureException.
    """
    given = [value.strip() for name, value in headers if name == "authorization"]
    algorithm, _, rest = given[0].partition(" ") if given else ("", "", "")
    if not algorithm.startswith("AWS4-"):
        raise Fault("MissingAuthenticationTokenException", "Missing Authentication Token")
    if len(given) > 1 or algorithm != ALGORITHM:
        raise _incomplete(f"one Authorization header with the algorithm {ALGORITHM} is needed")
    parameters = _parameters(rest)
    lacking = [name for name in ("Credential", "Signature", "SignedHeaders") if not parameters.get(name)]
    if lacking:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in lacking))
    timestamp = _timestamp(headers)
    scope = parameters["Credential"].split("/")
    if len(scope) != 5:
        raise _incomplete("Credential must have 5 slash-delimited elements: key, date, region, service, aws4_request.")
    key, date, region, named, termination = scope
    if not _REGION.fullmatch(region):
        raise _mismatch("Credential should be scoped to a valid region.")
    if named != service:
        raise _mismatch(f"Credential should be scoped to correct service: '{service}'.")
    if termination != _TERMINATION:
        raise _mismatch(f"Credential should be scoped with a valid terminator: '{_TERMINATION}'.")
    if date != timestamp[:8]:
        raise _mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    signed = tuple(parameters["SignedHeaders"].split(";"))
    return Signed(key, date, region, named, signed, parameters["Signature"], timestamp)


def verify(signed: Signed, secret: str, method: str, path: str, query: str, headers: Headers, body: bytes) -> None:
    """Raise `Fault` unless `signed` is the signature of this request with `secret`.

    `path` and `query` are as they stand in the request line. IncompleteSignatureException: a named header is not
    there. InvalidSignatureException: anything else.
    """
    names = {name for name, _ in headers}
    for name in signed.signed_headers:
        if name not in names:
            raise _incomplete(f"'{name[:64]}' is named as a SignedHeader, but it does not exist in the HTTP request.")
    date = "x-amz-date" if "x-amz-date" in names else "date"
    for name in (*_MUST_BE_SIGNED, date):
        if name in names and name not in signed.signed_headers:
            raise _mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    payload = hashlib.sha256(body).hexdigest()
    declared = [value.strip() for name, value in headers if name == "x-amz-content-sha256"]
    if declared not in ([], [payload]):
        raise _mismatch("The value of 'x-amz-content-sha256' is not the SHA-256 of the body.")
    canonical = _canonical_request(signed, method, path, query, headers, payload)
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = f"{ALGORITHM}\n{signed.timestamp}\n{signed.scope}\n{digest}"
    expected = hmac.digest(signing_key(secret, signed), to_sign.encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signed.signature.encode("latin-1", "replace")):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )


def check_time(signed: Signed, now: datetime) -> None:
    """Raise `Fault` (InvalidSignatureException) unless the moment of signing is within five minutes of `now`."""
    moment = datetime.strptime(signed.timestamp, _ISO).replace(tzinfo=UTC)
    if moment < now - SKEW:
        raise _mismatch(
            f"Signature expired: {signed.timestamp} is now earlier than {now - SKEW:{_ISO}} ({now:{_ISO}} - 5 min.)"
        )
    if moment > now + SKEW:
        raise _mismatch(
            f"Signature not yet current: {signed.timestamp} is still later than {now + SKEW:{_ISO}} "
            f"({now:{_ISO}} + 5 min.)"
        )


def signing_key(secret: str, signed: Signed) -> bytes:
    """The key that the day, the region and the service are mixed into."""
    key = f"AWS4{secret}".encode()
    for part in (signed.date, signed.region, signed.service, _TERMINATION):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_request(signed: Signed, method: str, path: str, query: str, headers: Headers, payload: str) -> str:
    wanted = sorted(set(signed.signed_headers))
    values: dict[str, list[str]] = {name: [] for name in wanted}
    for name, value in headers:
        if name in values:
            values[name].append(" ".join(value.split()))
    lines = "".join(f"{name}:{','.join(values[name])}\n" for name in wanted)
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    canonical_query = "&".join(f"{name}={value}" for name, value in pairs)
    return "\n".join((method, path, canonical_query, lines, ";".join(signed.signed_headers), payload))


def _parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete(
                f"'{part.strip()[:80]}' not a valid key=value pair (missing equal-sign) in Authorization."
            )
        parameters[name] = value
    return parameters


def _timestamp(headers: Headers) -> str:
    found = {name: value.strip() for name, value in headers if name in ("date", "x-amz-date")}
    if not found:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    try:
        if "x-amz-date" in found:
            # strptime takes a space or a lone digit too; the text itself goes into the signature.
            if re.fullmatch(r"\d{8}T\d{6}Z", found["x-amz-date"], re.ASCII):
                datetime.strptime(found["x-amz-date"], _ISO)
                return found["x-amz-date"]
            raise ValueError
        return f"{parsedate_to_datetime(found['date']).astimezone(UTC):{_ISO}}"
    except (ValueError, OverflowError):
        raise _incomplete("Date must be in ISO-8601 'basic format', as in 20150830T123600Z.") from None


def _incomplete(message: str) -> Fault:
    return Fault("IncompleteSignatureException", message)


def _mismatch(message: str) -> Fault:
    return Fault("InvalidSignatureException", message)
