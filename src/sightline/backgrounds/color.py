"""One colour as a background."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from sightline.backgrounds.base import Background
from sightline.errors import InvalidOption


def solid(color: str, size: tuple[int, int]) -> Background:
    """A background of one colour, `size` = (width, height).

    `color` is a CSS colour name, `#rgb`, `#rrggbb`, `rgb(...)` or `hsl(...)`. Raises `InvalidOption` for any
    other, and for one that is not opaque.
    """
    try:
        red, green, blue, *rest = ImageColor.getrgb(color.strip())
    except ValueError:
        raise InvalidOption(f"{color[:40]!r} is not a colour: use a CSS name such as 'navy', or #rrggbb") from None
    if rest and rest[0] != 255:
        raise InvalidOption(f"{color[:40]!r} is not opaque; ask for a transparent background instead")
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    pixels[:] = red, green, blue
    return Background(pixels, "color", color.strip())
