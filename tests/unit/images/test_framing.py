"""Whole pictures in fixed inputs, against the two steps of torchvision and timm: resize, then cut out the middle."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from sightline.images.framing import framed

PHOTO = skimage.data.coffee()  # 400 x 600


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "share"), [(224, 0.875), (160, 1.0), (288, 0.95)])
def test_a_crop_is_timm_s(filter: str, size: int, share: float) -> None:
    scaled = int(size / share)
    longer = int(scaled * 600 / 400)
    kind = Image.Resampling.BILINEAR if filter == "bilinear" else Image.Resampling.BICUBIC
    large = Image.fromarray(PHOTO).resize((longer, scaled), kind)
    left, top = round((longer - size) / 2), round((scaled - size) / 2)
    wanted = np.asarray(large.crop((left, top, left + size, top + size)), np.float32)
    got = framed(PHOTO, size, size, "crop", share=share, filter=filter)  # type: ignore[arg-type]
    assert got.shape == (size, size, 3)
    assert np.abs(got - wanted).mean() < 0.6
    assert np.abs(framed(PHOTO, size, size, "squash") - wanted).mean() > 10  # so the line above can fail


def test_a_crop_shows_the_middle_and_a_squash_everything() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, :100, 0], picture[:, 100:200, 1], picture[:, 200:, 2] = 255, 255, 255
    crop, squash = framed(picture, 40, 40, "crop"), framed(picture, 30, 30, "squash")
    assert (crop[:, 2:-2] == (0, 255, 0)).all()
    assert [tuple(squash[15, x]) for x in (3, 15, 27)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    boxed = framed(picture, 60, 60, "letterbox", pad=114)
    assert (boxed[:19] == 114).all()
    assert tuple(boxed[30, 5]) == (255, 0, 0)


@pytest.mark.parametrize("fit", ["crop", "squash", "letterbox"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (7, 5)])
def test_thin_and_tiny_pictures_fill_any_input(fit: str, shape: tuple[int, int]) -> None:
    got = framed(np.full((*shape, 3), 90, np.uint8), 64, 48, fit, pad=90)  # type: ignore[arg-type]
    assert got.shape == (48, 64, 3)
    assert (got == 90).all()
