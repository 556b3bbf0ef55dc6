"""Content negotiation."""

from __future__ import annotations

import pytest

from sightline.protocols.accept import negotiate

OFFERS = ("application/json", "image/png", "image/jpeg")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/*", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("Image/JPEG", "image/jpeg"),
        ("image/png;q=0.4, image/jpeg;q=0.5", "image/jpeg"),
        ("image/*;q=0.9, image/png;q=0.1, application/json;q=0.5", "image/jpeg"),  # the more specific range counts
        ("application/json;q=0, */*", "image/png"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/html", None),
        ("*/*;q=0", None),
        ("image/png;q=nonsense", None),
        (",,,", None),
    ],
)
def test_negotiate(accept: str | None, chosen: str | None) -> None:
    assert negotiate(accept, OFFERS) == chosen
