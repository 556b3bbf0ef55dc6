"""Openly licensed pictures from Openverse (https://docs.openverse.org/api).

Only those that may be changed and used commercially are asked for: a background is cropped and people are put
before it, which a no-derivatives licence forbids. Most ask for credit: `Background` carries what it takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from sightline.backgrounds.base import Background, words_of
from sightline.backgrounds.download import first_usable
from sightline.errors import InvalidImage, InvalidOption, SourceFailed
from sightline.images.decode import MAX_PIXELS
from sightline.images.fetch import Fetcher

API = "https://api.openverse.org/v1"
_PAGE = 20  # the most that is answered without registration
_TRIES = 3  # pictures of one answer that are downloaded until one works
_ENOUGH = 1024  # a longer side from which a picture serves as a background of any size


class Openverse:
    """Finds pictures by Openverse's search. `fetcher` gets the answer and the pictures alike."""

    def __init__(self, fetcher: Fetcher, *, api: str = API, max_pixels: int = MAX_PIXELS) -> None:
        self._fetcher, self._api, self._max_pixels = fetcher, api.rstrip("/"), max_pixels

    def find(self, query: str, size: tuple[int, int]) -> Background:
        """The first picture for the query, in Openverse's order of relevance, that is large enough and downloads."""
        text = words_of(query)
        results = self._search(text, size)
        if not results:
            raise InvalidOption(f"openverse has nothing for {text!r}")
        results = list(_by_size(results, size))[:_TRIES]
        addresses = [result["url"] for result in results]
        index, pixels = first_usable(addresses, size, fetcher=self._fetcher, max_pixels=self._max_pixels)
        return Background(
            pixels,
            "openverse",
            _text(results[index], "title") or text,
            _licence(results[index]),
            _text(results[index], "foreign_landing_url") or addresses[index],
            _text(results[index], "creator"),
        )

    def _search(self, text: str, size: tuple[int, int]) -> list[dict[str, Any]]:
        proportion = size[0] / size[1]
        shape = "wide" if proportion > 1.1 else "tall" if proportion < 0.9 else "square"
        parameters = {
            "q": text,
            "license_type": "commercial,modification",
            "aspect_ratio": shape,
            "mature": "false",
            "page_size": str(_PAGE),
        }
        try:
            answer = self._fetcher.get(f"{self._api}/images/?{urlencode(parameters)}", accept="application/json")
            results = json.loads(answer)["results"]
        except InvalidImage as error:
            raise SourceFailed(f"openverse's answer is too large: {error}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SourceFailed("openverse answered something that is not its documented JSON") from None
        if not isinstance(results, list):
            raise SourceFailed("openverse answered something that is not its documented JSON")
        return [result for result in results if isinstance(result, dict) and _text(result, "url")]


def _by_size(results: list[dict[str, Any]], size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """The large ones first, each part in the order of relevance. Sizes may be missing."""
    wanted = min(max(size), _ENOUGH)
    large = [max(_number(result, "width"), _number(result, "height")) >= wanted for result in results]
    yield from (result for result, fits in zip(results, large, strict=True) if fits)
    yield from (result for result, fits in zip(results, large, strict=True) if not fits)


def _licence(result: dict[str, Any]) -> str:
    code, version = _text(result, "license") or "", _text(result, "license_version") or ""
    name = {"cc0": "CC0", "pdm": "Public Domain Mark"}.get(code, f"CC {code.upper()}" if code else "")
    return f"{name} {version}".strip() if name else ""


def _text(result: dict[str, Any], key: str) -> str | None:
    value = result.get(key)
    return value if isinstance(value, str) and value else None


def _number(result: dict[str, Any], key: str) -> float:
    value = result.get(key)
    return value if isinstance(value, int | float) else 0
