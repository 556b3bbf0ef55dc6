"""Arrays and PIL images into encoded bytes."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.images.palette import colour_of

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def encode(image: Image.Image, format: str = "PNG", *, quality: int = 92) -> bytes:
    """Encode as `PNG`, `JPEG` or `WEBP`. JPEG has no alpha: a transparent picture is composited on white."""
    if format == "JPEG" and image.mode != "RGB":
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, (255, 255, 255))
        image.paste(rgba, mask=rgba.getchannel("A"))
    buffer = io.BytesIO()
    if format == "PNG":
        # Level 1 is 4 times as fast as the default and a few per cent larger.
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, format, quality=quality)
    return buffer.getvalue()


def mask_png(mask: npt.NDArray[np.uint8]) -> str:
    """A mask (height x width, uint8, 0..255) as base64 of an 8-bit grey PNG; 1-bit where it only holds 0 and 255."""
    image = Image.fromarray(mask)
    if not np.any((mask != 0) & (mask != 255)):
        image = image.point(lambda value: 255 if value else 0, mode="1")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def label_png(values: npt.NDArray[np.uint8]) -> str:
    """A map of labels (height x width, uint8) as base64 of an 8-bit PNG whose palette indices are the values, as
    PASCAL VOC keeps its labels: a picture to people, numbers to a program that reads the indices.

    The palette: black for 0, then the colours of drawings over and over.
    """
    image = Image.fromarray(values, mode="P")
    image.putpalette([0, 0, 0, *(channel for index in range(255) for channel in colour_of(index))])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
