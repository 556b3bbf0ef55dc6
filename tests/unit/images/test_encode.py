"""What is encoded decodes to the same picture."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sightline.images.encode import MEDIA_TYPES, encode, mask_png


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", sorted(MEDIA_TYPES))
def test_the_format_is_the_one_asked_for(kind: str) -> None:
    data = encode(Image.new("RGB", (9, 7), (200, 30, 60)), kind)
    image = opened(data)
    assert (image.format, image.size, image.get_format_mimetype()) == (kind, (9, 7), MEDIA_TYPES[kind])
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - [200, 30, 60]).max() <= 6


def test_png_keeps_every_pixel_and_the_transparency() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4)).astype(np.uint8)
    assert np.array_equal(np.asarray(opened(encode(Image.fromarray(pixels)))), pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_transparent_picture_as_jpeg_is_composited_on_white(mode: str) -> None:
    image = Image.new("RGBA", (32, 16), (255, 0, 0, 0)).convert(mode)
    image.paste(Image.new("RGBA", (16, 16), (20, 20, 20, 255)).convert(mode), (0, 0))
    pixels = np.asarray(opened(encode(image, "JPEG", quality=98))).astype(int)
    assert np.abs(pixels[:, :14] - 20).max() <= 8
    assert np.abs(pixels[:, 18:] - 255).max() <= 8
    half = encode(Image.new("RGBA", (16, 16), (0, 0, 0, 128)), "JPEG")
    assert np.abs(np.asarray(opened(half)).astype(int) - 127).max() <= 3


def test_quality_matters() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    assert len(encode(noise, "JPEG", quality=30)) < len(encode(noise, "JPEG", quality=95)) / 2


@settings(deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    st.booleans(),
)
def test_a_mask_makes_the_whole_way(mask: npt.NDArray[np.uint8], hard: bool) -> None:
    if hard:
        mask = np.where(mask > 127, np.uint8(255), np.uint8(0))
    image = opened(base64.b64decode(mask_png(mask), validate=True))
    assert image.format == "PNG"
    only_ends = set(np.unique(mask).tolist()) <= {0, 255}
    assert image.mode == ("1" if only_ends else "L")
    assert np.array_equal(np.asarray(image.convert("L")), mask)
