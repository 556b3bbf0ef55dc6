"""One drawing style for all answers: readable on light and dark photos, at phone and at 4K size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sightline.images.decode import Source, read
from sightline.images.geometry import Box, resize
from sightline.images.palette import PALETTE, Colour
from sightline.images.patch import Patch
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings

__all__ = ["PALETTE", "Colour", "Sketch", "canvas"]

_ANY_SIZE = Settings(max_bytes=2**40, max_pixels=178_000_000)
_INK: Colour = (20, 22, 26)
_PAPER: Colour = (255, 255, 255)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def canvas(source: Source) -> Pixels:
    """A picture's pixels at its full size (enlarged where it was decoded at a reduced scale), to draw on."""
    # The answer that is drawn was given on this picture: its size has been accepted already.
    picture = source if isinstance(source, Picture) else read(source, settings=_ANY_SIZE)
    return resize(picture.pixels, picture.width, picture.height) if picture.reduced else picture.pixels


@dataclass(frozen=True, slots=True)
class _Tag:
    """A text waiting for its place: the places it may take, the best first (top left corners), and its size."""

    text: str
    colour: Colour
    size: float
    width: float
    height: float
    places: tuple[tuple[float, float], ...]


class Sketch:
    """Draws on a copy of a picture, at its full size. Lines and letters grow with the picture. Labels come last, on
    top of everything, each where it covers no other if there is such a place."""

    def __init__(self, source: Source) -> None:
        self._image = Image.fromarray(canvas(source))
        self._pen = ImageDraw.Draw(self._image)
        shorter = min(self._image.size)
        self.line = max(2, round(shorter / 240))
        self.letter = max(12, round(shorter / 34))
        self._waiting: list[_Tag] = []
        self._taken: list[tuple[float, float, float, float]] = []

    @property
    def image(self) -> Image.Image:
        """The picture with all that has been drawn so far."""
        waiting, self._waiting = self._waiting, []
        # What was drawn last lies on top and has its label's place first.
        placed = [(tag, self._place(tag)) for tag in reversed(waiting)]
        for tag, (x, y) in reversed(placed):
            self._write(tag, x, y)
        return self._image

    def box(self, box: Box, label: str = "", colour: Colour = PALETTE[0]) -> None:
        """A rounded rectangle with a dark rim, so that it shows on any ground, and its label above or inside."""
        left, top, right, bottom = box.corners
        corners = (left, top, max(right, left + 1), max(bottom, top + 1))
        radius = min(box.width, box.height) * 0.06
        rim = max(1, self.line // 2)
        outer = (corners[0] - rim, corners[1] - rim, corners[2] + rim, corners[3] + rim)
        self._pen.rounded_rectangle(outer, radius + rim, outline=_INK, width=self.line + 2 * rim)
        self._pen.rounded_rectangle(corners, radius, outline=colour, width=self.line)
        if label:
            self.label_at(box, label, colour)

    def label_at(self, box: Box, text: str, colour: Colour = PALETTE[0]) -> None:
        """A tag at a box: above it, else inside, below, or at its right. Smaller where the box is narrow."""
        left, top, right, bottom = box.corners
        width, height = self._extent(text, 1.0)
        size = min(1.0, max(0.7, box.width / max(width, 1)))
        width, height = self._extent(text, size)
        places = [
            (left, top - height if top - height >= 0 else top),
            (left, top),
            (right - width, top - height),
            (right - width, top),
            (left, bottom - height),
            (left, bottom),
            (right - width, bottom),
            (right, top),
            (left, top - 2 * height),
            ((left + right - width) / 2, (top + bottom - height) / 2),
        ]
        self._wait(text, colour, size, places)

    def label(self, text: str, x: float, y: float, colour: Colour = PALETTE[0], size: float = 1.0) -> None:
        """A filled tag whose lower left corner is at x, y; moved inside where it would leave the picture, and up or
        down where it would cover another."""
        _, height = self._extent(text, size)
        first = y - height if y - height >= 0 else y
        places = [first, y, *(y + step * height for number in range(1, 5) for step in (-1 - number, number))]
        self._wait(text, colour, size, [(x, place) for place in places])

    def legend(self, entries: Sequence[tuple[str, Colour]]) -> None:
        """Names and colours, one below the other, in the lower left corner; as many as fit."""
        margin = self.letter / 2
        y = self._image.height - margin
        for text, colour in reversed(entries):
            _, height = self._extent(text, 1.0)
            y -= height
            if y < 0:
                break
            self._wait(text, colour, 1.0, [(margin, y)])
            y -= margin / 3

    def point(self, x: float, y: float, colour: Colour = PALETTE[1], size: float = 1.0) -> None:
        """A dot with a dark rim."""
        radius = max(1.5, self.line * size)
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_INK)

    def mask(self, mask: npt.NDArray[np.uint8], colour: Colour = PALETTE[0], opacity: float = 0.45) -> None:
        """Tint the pixels of `mask` (height x width, 0..255), and line its border, with a dark rim."""
        x, y, width, height = cv2.boundingRect(mask)
        if width and height:
            self._shade(x, y, mask[y : y + height, x : x + width], colour, opacity)

    def patch(self, patch: Patch, colour: Colour = PALETTE[0], opacity: float = 0.45) -> None:
        """Tint the pixels of `patch`, and line its border, with a dark rim."""
        self._shade(patch.left, patch.top, np.asarray(patch.inside * np.uint8(255), np.uint8), colour, opacity)

    def _shade(self, left: int, top: int, mask: npt.NDArray[np.uint8], colour: Colour, opacity: float) -> None:
        # A small thing must not vanish under its own border.
        line = max(1, min(self.line, round(min(mask.shape) / 12)))
        rim = max(1, line // 2)
        reach = line + 2 * rim
        # The border is drawn a little beyond the mask: room for it, as far as the picture goes.
        x, y = max(0, left - reach), max(0, top - reach)
        right = min(self._image.width, left + mask.shape[1] + reach)
        bottom = min(self._image.height, top + mask.shape[0] + reach)
        part = np.array(self._image.crop((x, y, right, bottom)))
        framed = np.zeros(part.shape[:2], np.uint8)
        framed[top - y : top - y + mask.shape[0], left - x : left - x + mask.shape[1]] = mask
        share = cv2.merge([framed] * 3).astype(np.float32) * np.float32(opacity / 255)
        part = np.asarray(part + share * (np.array(colour, np.float32) - part) + 0.5, np.uint8)
        found, _ = cv2.findContours((framed > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        lines = [contour for contour in found if len(contour) > 2]
        cv2.polylines(part, lines, True, _INK, line + 2 * rim, cv2.LINE_AA)
        cv2.polylines(part, lines, True, colour, line, cv2.LINE_AA)
        self._image.paste(Image.fromarray(part), (x, y))

    def _extent(self, text: str, size: float) -> tuple[float, float]:
        """Width and height of a tag."""
        left, top, right, bottom = self._pen.textbbox((0, 0), text, font=self._type(size))
        return right - left + 2 * self._pad(size), bottom - top + 2 * self._pad(size)

    def _type(self, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return _font(max(10, round(self.letter * size)))

    def _pad(self, size: float) -> int:
        return max(3, round(self.letter * size / 4))

    def _wait(self, text: str, colour: Colour, size: float, places: Sequence[tuple[float, float]]) -> None:
        width, height = self._extent(text, size)
        inside = [
            (
                min(max(0.0, x), max(0.0, self._image.width - width)),
                min(max(0.0, y), max(0.0, self._image.height - height)),
            )
            for x, y in places
        ]
        self._waiting.append(_Tag(text, colour, size, width, height, tuple(inside)))

    def _place(self, tag: _Tag) -> tuple[float, float]:
        """The first place where the tag covers no other; where there is none, the one where it covers least."""
        covered = [self._covered(x, y, tag) for x, y in tag.places]
        x, y = tag.places[covered.index(min(covered))]
        self._taken.append((x, y, x + tag.width, y + tag.height))
        return x, y

    def _covered(self, x: float, y: float, tag: _Tag) -> float:
        """Square pixels that the tag would share with those that have their place."""
        return sum(
            max(0.0, min(x + tag.width, right) - max(x, left)) * max(0.0, min(y + tag.height, bottom) - max(y, top))
            for left, top, right, bottom in self._taken
        )

    def _write(self, tag: _Tag, x: float, y: float) -> None:
        font, pad, colour = self._type(tag.size), self._pad(tag.size), tag.colour
        left, top, _, _ = self._pen.textbbox((0, 0), tag.text, font=font)
        self._pen.rounded_rectangle((x, y, x + tag.width, y + tag.height), pad, fill=colour, outline=_INK)
        ink = _INK if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 110 else _PAPER
        self._pen.text((x + pad - left, y + pad - top), tag.text, font=font, fill=ink)
