"""A background, and what finds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import cv2

from sightline.errors import InvalidOption
from sightline.images.picture import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A picture to put people in front of, and where it comes from.

    `pixels`: RGB, uint8, of exactly the height and width that were asked for. `source`: who found it
    (`gallery`, `openverse`, `bing`, `google`, `color`), and why another than the one that was asked did.
    `licence`: in words, empty where nobody stated one. `url`: the page that shows the original.
    """

    pixels: Pixels
    source: str
    title: str
    licence: str = ""
    url: str | None = None
    author: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """All but the pixels, for JSON."""
        return {
            "source": self.source,
            "title": self.title,
            "licence": self.licence,
            "url": self.url,
            "author": self.author,
        }


class Provider(Protocol):
    """Finds a background in words. A fake needs this one method."""

    def find(self, query: str, size: tuple[int, int]) -> Background:
        """The best background for `query`, `size` = (width, height) pixels.

        Raises `InvalidOption` where the query is empty or nothing fits it, `SourceFailed` where the provider
        cannot be reached or does not deliver.
        """
        ...


def cover(pixels: Pixels, width: int, height: int) -> Pixels:
    """The middle of a picture at exactly `width` x `height`, proportions kept, nothing left uncovered."""
    if width < 1 or height < 1:
        raise InvalidOption(f"a background has at least one pixel, not {width} x {height}")
    has_height, has_width = pixels.shape[:2]
    scale = max(width / has_width, height / has_height)
    # Cropped first: only what will be seen is resized.
    crop_width = min(has_width, max(1, round(width / scale)))
    crop_height = min(has_height, max(1, round(height / scale)))
    left, top = (has_width - crop_width) // 2, (has_height - crop_height) // 2
    part = pixels[top : top + crop_height, left : left + crop_width]
    if (crop_width, crop_height) == (width, height):
        return part.copy()
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cast(Pixels, cv2.resize(part, (width, height), interpolation=how))


def words_of(query: str) -> str:
    """The query on one line; `InvalidOption` where it is empty or no query any more (200 characters)."""
    text = " ".join(query.split())
    if not text:
        raise InvalidOption("the background query is empty")
    if len(text) > 200:
        raise InvalidOption(f"the background query has {len(text)} characters; at most 200 are read")
    return text
