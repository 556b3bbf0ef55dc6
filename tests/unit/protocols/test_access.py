"""The API key."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from sightline.protocols.access import check_key
from sightline.serving.errors import Unauthorized


def request(**headers: bytes) -> Request:
    raw = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


def test_without_a_key_all_are_let_in() -> None:
    check_key(request(), None)
    check_key(request(x_api_key=b"anything"), None)


@pytest.mark.parametrize("key", ["abc", "schlüssel", "鍵", "with space"])
def test_the_key_is_taken_both_ways(key: str) -> None:
    check_key(request(x_api_key=key.encode()), key)
    check_key(request(authorization=b"Bearer " + key.encode()), key)
    check_key(request(authorization=b"bearer  " + key.encode()), key)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": b""},
        {"x_api_key": b"ABC"},
        {"x_api_key": b"abcd"},
        {"x_api_key": b"\xff\xfe"},
        {"x_api_key": b"wrong", "authorization": b"Bearer abc"},
        {"authorization": b"abc"},
        {"authorization": b"Basic abc"},
        {"authorization": b"Bearer"},
    ],
)
def test_others_are_not(headers: dict[str, bytes]) -> None:
    with pytest.raises(Unauthorized):
        check_key(request(**headers), "abc")
