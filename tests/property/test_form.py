"""Forms read whole are what the HTTP server's own reader makes of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from sightline.errors import InvalidRequest, SightlineError
from sightline.protocols.form import MOST_FIELDS, MOST_FILES, read_form
from sightline.protocols.pictures import read_request
from sightline.protocols.wire import Part, Wire, read_parts

NAMES = {"image": "image", "anchor": "anchor", "file1": "img1"}
KIND = "multipart/form-data; boundary=b"

names = st.sampled_from([*NAMES, "query", "größe", "a b"])
contents = st.binary(max_size=80).filter(lambda content: b"--b" not in content)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: "--b" not in text)
parts = st.one_of(
    st.builds(Part, names, contents, st.sampled_from(["", "a.jpg", "ä.png"])),
    st.builds(lambda name, text: Part(name, text.encode()), names, texts),
)


def body(made: list[Part]) -> bytes:
    def head(part: Part) -> bytes:
        file = "" if part.filename is None else f'; filename="{part.filename}"'
        return f'--b\r\nContent-Disposition: form-data; name="{part.name}"{file}\r\n\r\n'.encode()

    return b"".join(head(part) + part.content + b"\r\n" for part in made) + b"--b--\r\n"


def outcome(read: Any) -> Wire | tuple[str, str]:
    try:
        wire: Wire = read()
        return wire
    except SightlineError as error:
        return error.code, str(error)


def by_server(content: bytes) -> Wire | tuple[str, str]:
    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    scope = {"type": "http", "headers": [(b"content-type", KIND.encode())], "app": None}
    return outcome(lambda: asyncio.run(read_request(Request(scope, receive), NAMES)))


@given(made=st.lists(parts, max_size=4))
def test_parts_are_read_back(made: list[Part]) -> None:
    assert read_form(body(made), KIND) == made


@given(made=st.lists(parts, max_size=4))
def test_both_readers_mean_the_same(made: list[Part]) -> None:
    content = body(made)
    assert outcome(lambda: read_parts(read_form(content, KIND), NAMES)) == by_server(content)


@given(content=st.binary(max_size=200), framed=st.booleans())
def test_whatever_the_bytes(content: bytes, framed: bool) -> None:
    if framed:
        content = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n' + content
    with contextlib.suppress(InvalidRequest):
        assert all(isinstance(part, Part) for part in read_form(content, KIND))


@pytest.mark.parametrize("most", [Part("x", b"1"), Part("x", b"1", "f")])
def test_parts_are_counted(most: Part) -> None:
    limit = MOST_FIELDS if most.filename is None else MOST_FILES
    assert len(read_form(body([most] * limit), KIND)) == limit
    with pytest.raises(InvalidRequest, match="Too many"):
        read_form(body([most] * (limit + 1)), KIND)
