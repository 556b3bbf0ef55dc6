"""A scatter plot, drawn with Pillow: the base installation has no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from sightline.images.draw import PALETTE

_SIZE = (1100, 700)
_MARGIN = (90, 60, 330, 70)  # left, top, right, bottom
_INK, _FAINT = (20, 22, 26), (222, 224, 228)


def draw(points: Sequence[tuple[float, float, str]], axes: tuple[str, str], title: str) -> Image.Image:
    """Points (x, y, label), both from zero, on axes of these names; the labels in a column at the right."""
    image = Image.new("RGB", _SIZE, "white")
    sketch = ImageDraw.Draw(image)
    small, large = ImageFont.load_default(15), ImageFont.load_default(20)
    left, top, right, bottom = _MARGIN[0], _MARGIN[1], _SIZE[0] - _MARGIN[2], _SIZE[1] - _MARGIN[3]
    ends = _round_up(max(x for x, _, _ in points)), _round_up(max(y for _, y, _ in points))

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / ends[0] * (right - left), bottom - y / ends[1] * (bottom - top)

    for step in range(6):
        x, y = ends[0] * step / 5, ends[1] * step / 5
        sketch.line([place(x, 0), place(x, ends[1])], _FAINT)
        sketch.line([place(0, y), place(ends[0], y)], _FAINT)
        sketch.text((place(x, 0)[0], bottom + 8), f"{x:g}", _INK, small, anchor="ma")
        sketch.text((left - 8, place(0, y)[1]), f"{y:g}", _INK, small, anchor="rm")
    sketch.text((left, 20), title, _INK, large)
    sketch.text(((left + right) / 2, bottom + 36), axes[0], _INK, small, anchor="ma")
    sketch.text((left - 70, top - 26), axes[1], _INK, small)
    for index, (x, y, label) in enumerate(points):
        colour = PALETTE[index % len(PALETTE)]
        row = top + 28 * index
        for centre, mark in ((place(x, y), str(index + 1)), ((right + 30, row + 9), str(index + 1))):
            sketch.ellipse([centre[0] - 10, centre[1] - 10, centre[0] + 10, centre[1] + 10], colour, _INK)
            sketch.text(centre, mark, _INK, small, anchor="mm")
        sketch.text((right + 48, row + 9), label, _INK, ImageFont.load_default(13), anchor="lm")
    return image


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
