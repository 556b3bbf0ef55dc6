"""Files behind `https:` addresses, and the HTTP client that the other sources share.

Plain `http:` is accepted as well, for mirrors inside a firm: what was received is judged by the card's sha256 alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from sightline.errors import SourceFailed
from sightline.models.sources.base import Download

CHUNK = 1 << 18
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_MAX_ARCHIVE = 4 * 1024**3
_MAX_PAGE = 64 * 1024 * 1024  # an index page or a package's metadata; the largest known are about 20 MB
_USERINFO = re.compile(r"//[^/@\s]+@")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(?:\d+)?/(\d+|\*)")


class HttpsSource:
    """`https://HOST/PATH`; resumes where the server honours `Range`."""

    network = True

    def __init__(self, scheme: str = "https") -> None:
        self._scheme = scheme

    def open(self, reference: str, offset: int = 0) -> Download:
        return fetch(f"{self._scheme}:{reference}", offset=offset)


def shown(text: str) -> str:
    """`text` as it may be printed: the user names, passwords and queries (signatures) of its addresses left out."""
    return re.sub(r"(https?://[^\s?]+)\?\S*", r"\1", _USERINFO.sub("//", text))


def trust() -> str | None:
    """The certificate bundle (file or folder) that the user's other clients were told to trust, if any."""
    for name in ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        value = os.environ.get(name)
        if value and Path(value).exists():
            return value
    return None


def fetch(url: str, headers: Mapping[str, str] | None = None, offset: int = 0, bundle: str | None = None) -> Download:
    """Start reading `url` at byte `offset`, or at 0 where the server cannot; `bundle` as `trust` gives it.

    Raises `SourceFailed`, at once or while the chunks are read.
    """
    client = _client(bundle)
    try:
        # Identity: bytes must be those that the card's hash was taken of, and offsets must mean the same on both ends.
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        if offset:
            asked["Range"] = f"bytes={offset}-"
        response = client.send(client.build_request("GET", url, headers=asked), stream=True)
        if offset and not _resumes(response, offset):
            if response.status_code in (206, 416):  # another range than asked for, or less than we have: begin again
                client.close()
                return fetch(url, headers, bundle=bundle)
            offset = 0
        if response.status_code not in (200, 206):
            raise SourceFailed(
                f"{shown(url)} answered {response.status_code} {response.reason_phrase}{_hint(response)}"
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        client.close()
        raise SourceFailed(f"{shown(url)}: {_reason(error)}") from None
    except BaseException:
        client.close()
        raise
    return Download(_chunks(client, response, url), offset, _total(response, offset))


def save(
    url: str, path: Path, algorithm: str, headers: Mapping[str, str] | None = None, bundle: str | None = None
) -> bytes:
    """Write `url` to `path` and answer its hash by `algorithm`. Raises `SourceFailed`."""
    digest, size = hashlib.new(algorithm), 0
    with path.open("wb") as file:
        for chunk in fetch(url, headers, bundle=bundle).chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > _MAX_ARCHIVE:
                raise SourceFailed(f"{shown(url)} is larger than {_MAX_ARCHIVE} bytes")
            file.write(chunk)
    return digest.digest()


def read(url: str, headers: Mapping[str, str] | None = None, bundle: str | None = None) -> tuple[bytes, str]:
    """A small page, whole, and its content type. Raises `SourceFailed`."""
    body = bytearray()
    try:
        with (
            _client(bundle) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "gzip, identity", **(headers or {})}) as response,
        ):
            if response.status_code != 200:
                raise SourceFailed(
                    f"{shown(url)} answered {response.status_code} {response.reason_phrase}{_hint(response)}"
                )
            for chunk in response.iter_bytes(CHUNK):
                body += chunk
                if len(body) > _MAX_PAGE:
                    raise SourceFailed(f"{shown(url)} is larger than any index page")
            return bytes(body), response.headers.get("Content-Type", "")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceFailed(f"{shown(url)}: {_reason(error)}") from None


def _client(bundle: str | None) -> httpx.Client:
    bundle = bundle or trust()
    verify: ssl.SSLContext | bool = True
    if bundle:
        folder = Path(bundle).is_dir()
        try:
            verify = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
        except OSError as error:
            raise SourceFailed(f"cannot read the certificates in {bundle}: {_reason(error)}") from None
    # httpx drops the Authorization header itself when it is redirected to another host.
    return httpx.Client(verify=verify, follow_redirects=True, timeout=_TIMEOUT, headers={"User-Agent": "sightline"})


def _chunks(client: httpx.Client, response: httpx.Response, url: str) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()  # as it arrives: nothing that came is lost when it breaks off
    except httpx.HTTPError as error:
        raise SourceFailed(f"{shown(url)} broke off: {_reason(error)}") from None
    finally:
        response.close()
        client.close()


def _resumes(response: httpx.Response, offset: int) -> bool:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return response.status_code == 206 and match is not None and int(match[1]) == offset


def _total(response: httpx.Response, offset: int) -> int | None:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is not None and match[2] != "*":
        return int(match[2])
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _hint(response: httpx.Response) -> str:
    return "; it wants credentials that were not given or not accepted" if response.status_code in (401, 403) else ""


def _reason(error: Exception) -> str:
    """An exception's first line, or its kind where it has no text."""
    return shown(str(error).strip().partition("\n")[0]) or type(error).__name__
