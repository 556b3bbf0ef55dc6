"""Requests with pictures, read off the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from sightline.errors import FetchRefused, InvalidImage, InvalidOption, InvalidRequest, SightlineError
from sightline.protocols.pictures import read_request
from sightline.protocols.wire import Wire, fetch
from sightline.serving.errors import UnsupportedMediaType
from sightline.settings import Settings

NAMES = {"fileAnchor": "anchor", "anchor": "anchor", "img1": "img1"}
FORM = "multipart/form-data; boundary=b"


def read(content: bytes, kind: str = "application/json") -> Wire:
    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    headers = [(b"content-type", kind.encode("latin-1"))] if kind else []
    # Starlette turns a broken form into an HTTPException only where it runs inside an application.
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b"", "app": None}
    return asyncio.run(read_request(Request(scope, receive), NAMES))


def form(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (a.encode(), b) for a, b in parts) + (
        b"--b--\r\n"
    )


def test_json() -> None:
    body = {"fileAnchor": {"bytes": "YWJj"}, "img1": {"url": "http://x/"}, "threshold": 0.5, "anchor": None}
    wire = read(json.dumps(body).encode(), "Application/JSON; charset=utf-8")
    assert wire == Wire({"anchor": b"abc", "img1": {"url": "http://x/"}}, {"threshold": 0.5}, typed=True)


def test_form() -> None:
    wire = read(form(('name="anchor"; filename="a"', b"abc"), ('name="query"', b"sea"), ('name="empty"', b"")), FORM)
    assert wire == Wire({"anchor": b"abc"}, {"query": "sea"}, typed=False)


def test_an_empty_file_that_has_a_name_was_meant() -> None:
    assert read(form(('name="anchor"; filename="a.jpg"', b"")), FORM).pictures == {"anchor": b""}
    assert read(form(('name="anchor"; filename=""', b"")), FORM).pictures == {}


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        (b"{}", "", UnsupportedMediaType),
        (b"{}", "text/json", UnsupportedMediaType),
        (b"{", "application/json", InvalidRequest),
        (b"[]", "application/json", InvalidRequest),
        (b'{"anchor": {"bytes": "a b"}}', "application/json", InvalidImage),
        (b'{"anchor": {"url": 5}}', "application/json", InvalidRequest),
        (b'{"anchor": {"s3": {"bucket": "b", "key": 1}}}', "application/json", InvalidRequest),
        (b'{"anchor": {"bytes": ""}, "fileAnchor": {"bytes": ""}}', "application/json", InvalidOption),
        (b"--b\r\n", "multipart/form-data", InvalidRequest),
        (form(("name=x", b"y")) * 100, "multipart/form-data; boundary=c", InvalidRequest),
        (form(*[(f'name="f{i}"', b"1") for i in range(70)]), FORM, InvalidRequest),
        (form(('name="anchor"', b"text, not a file")), FORM, InvalidImage),
        (form(('name="other"; filename="x"', b"abc")), FORM, InvalidOption),
        (form(*[('name="anchor"; filename="x"', b"abc")] * 2), FORM, InvalidOption),
    ],
)
def test_wrong_requests(content: bytes, kind: str, error: type[SightlineError]) -> None:
    with pytest.raises(error):
        read(content, kind)


@given(content=st.binary(max_size=300), kind=st.sampled_from(["application/json", FORM]), framed=st.booleans())
def test_whatever_the_bytes(content: bytes, kind: str, framed: bool) -> None:
    """Read, or refused with an error of Sightline's own; nothing else."""
    if framed:
        head = b'--b\r\nContent-Disposition: form-data; name="anchor"; filename="a"\r\n'
        content = head + content if kind == FORM else b'{"anchor": {"bytes": "' + content + b'"}}'
    with contextlib.suppress(SightlineError):
        assert isinstance(read(content, kind), Wire)


@pytest.mark.parametrize("reference", [{"url": "http://example.org/"}, {"s3": {"bucket": "b", "key": "k"}}])
@pytest.mark.parametrize("settings", [Settings(online=False), Settings(online=True, offline=True)])
def test_nothing_is_fetched_unless_allowed(reference: dict[str, Any], settings: Settings) -> None:
    with pytest.raises(FetchRefused):
        fetch(Wire({"image": b"abc", "other": reference}), settings)
    assert fetch(Wire({"image": b"abc"}), settings) == {"image": b"abc"}
