"""How a whole picture fills the fixed input of a network that looks at all of it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from PIL import Image

from sightline.images.geometry import letterbox
from sightline.images.picture import Pixels

Fit = Literal["crop", "squash", "letterbox"]
"""`crop`: the middle, proportions kept; `squash`: all of it, proportions not kept; `letterbox`: all of it, padded."""
Filter = Literal["bilinear", "bicubic"]

FITS: tuple[str, ...] = get_args(Fit)
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def framed(
    pixels: Pixels,
    width: int,
    height: int,
    fit: Fit = "crop",
    *,
    share: float = 1.0,
    filter: Filter = "bilinear",
    pad: int = 0,
) -> Pixels:
    """`pixels` (rows x columns x 3 RGB uint8) as height x width x 3, filtered against aliasing as Pillow does it.

    Of a `crop`, `share` is the part of the shorter side that is kept (timm's `crop_pct`): the same as enlarging the
    picture's shorter side to side / share and cutting out the middle. `pad` is the grey, 0..255, of a letterbox.
    """
    if fit == "letterbox":
        return letterbox(pixels, width, height, pad)[0]
    rows, columns = pixels.shape[:2]
    box = (0.0, 0.0, float(columns), float(rows))
    if fit == "crop":
        # The middle is cut out of the source, not of an enlarged copy: a line of pixels would swell to gigabytes.
        # Whole pixels of that copy, as torchvision and timm count them.
        scale = max(int(width / share) / columns, int(height / share) / rows)
        large = max(width, int(columns * scale + 1e-6)), max(height, int(rows * scale + 1e-6))
        left, top = round((large[0] - width) / 2), round((large[1] - height) / 2)
        x, y = columns / large[0], rows / large[1]
        box = (left * x, top * y, min(columns, (left + width) * x), min(rows, (top + height) * y))
    return np.asarray(Image.fromarray(pixels).resize((width, height), FILTERS[filter], box=box), np.uint8)
