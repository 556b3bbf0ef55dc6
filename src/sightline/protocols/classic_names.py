"""What clients of earlier systems call pictures and answers. Knows no web framework."""

from __future__ import annotations

from typing import Any

FILE = {"file": "image"}
"""The one picture of `/face-sentiment` and `/face-bokeh/{query}`."""
THREE = {"fileAnchor": "anchor", "file1": "img1", "file2": "img2"}
"""The three pictures of `similarity` at `/predict`."""

_SAID = {
    "img1": "Image 1 is more similar to Anchor Image",
    "img2": "Image 2 is more similar to Anchor Image",
    "neither": "Neither image is similar to Anchor Image",
}


def add_result(members: dict[str, Any]) -> dict[str, Any]:
    """The members of a `similarity` answer, and the sentence that says which picture is nearer."""
    return {**members, "Result": _SAID[members["more_similar"]]}
