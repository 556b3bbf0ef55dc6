"""One drawing style for all answers: readable on light and dark photos, at phone and at 4K size."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sightline.images.decode import Source, read
from sightline.images.geometry import Box, resize
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings

Colour = tuple[int, int, int]

# Okabe and Ito (2008): told apart by people with any kind of colour vision, and on grey.
PALETTE: tuple[Colour, ...] = (
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (213, 94, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
)
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


class Sketch:
    """Draws on a copy of a picture, at its full size. Lines and letters grow with the picture."""

    def __init__(self, source: Source) -> None:
        self.image = Image.fromarray(canvas(source))
        self._pen = ImageDraw.Draw(self.image)
        shorter = min(self.image.size)
        self.line = max(2, round(shorter / 240))
        self.letter = max(12, round(shorter / 34))

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
            self.label(label, left, top, colour)

    def label(self, text: str, x: float, y: float, colour: Colour = PALETTE[0], size: float = 1.0) -> None:
        """A filled tag whose lower left corner is at x, y; moved inside where it would leave the picture."""
        font = _font(max(10, round(self.letter * size)))
        pad = max(3, round(self.letter * size / 4))
        left, top, right, bottom = self._pen.textbbox((0, 0), text, font=font)
        width, height = right - left + 2 * pad, bottom - top + 2 * pad
        x = min(max(0.0, x), max(0.0, self.image.width - width))
        y = y - height if y - height >= 0 else y
        y = min(max(0.0, y), max(0.0, self.image.height - height))
        self._pen.rounded_rectangle((x, y, x + width, y + height), pad, fill=colour, outline=_INK)
        ink = _INK if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 110 else _PAPER
        self._pen.text((x + pad - left, y + pad - top), text, font=font, fill=ink)

    def point(self, x: float, y: float, colour: Colour = PALETTE[1], size: float = 1.0) -> None:
        """A dot with a dark rim."""
        radius = max(1.5, self.line * size)
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_INK)

    def mask(self, mask: npt.NDArray[np.uint8], colour: Colour = PALETTE[0], opacity: float = 0.45) -> None:
        """Tint the pixels of `mask` (height x width, 0..255), and line its border."""
        tint = Image.new("RGB", self.image.size, colour)
        alpha = Image.fromarray((mask.astype(np.float32) * opacity).astype(np.uint8))
        self.image.paste(tint, mask=alpha)
        contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            outline = [(float(x), float(y)) for x, y in contour[:, 0]]
            if len(outline) > 2:
                self._pen.line([*outline, outline[0]], fill=colour, width=self.line, joint="curve")
