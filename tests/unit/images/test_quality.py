"""Brightness, contrast and sharpness of pictures that are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sightline.images.quality import Tones


def flat(value: int) -> np.ndarray:
    return np.full((40, 60, 3), value, np.uint8)


@pytest.mark.parametrize(("value", "brightness"), [(0, 0), (119, 50), (255, 100)])
def test_one_colour_has_its_lightness_no_contrast_and_no_sharpness(value: int, brightness: float) -> None:
    tones = Tones(flat(value))
    assert tones.brightness() == pytest.approx(brightness, abs=0.3)
    assert tones.contrast() == pytest.approx(0, abs=0.01)
    assert tones.sharpness() == 0


def test_half_black_and_half_white_have_all_the_contrast() -> None:
    pixels = flat(0)
    pixels[:, :30] = 255
    tones = Tones(pixels)
    assert tones.brightness() == pytest.approx(50, abs=0.1)
    assert tones.contrast() == pytest.approx(100, abs=0.1)


def test_only_what_counts_counts() -> None:
    pixels = flat(0)
    pixels[:, :30] = 255
    left = np.zeros((40, 60), np.float32)
    left[:, :30] = 1
    tones = Tones(pixels)
    assert tones.brightness(left) == pytest.approx(100, abs=0.1)
    assert tones.brightness(1 - left) == pytest.approx(0, abs=0.1)
    assert tones.contrast(left) == pytest.approx(0, abs=0.1)
    assert tones.sharpness(left) == 0  # the edge between both counts for neither
    none = np.zeros((40, 60), np.float32)
    assert (tones.brightness(none), tones.contrast(none), tones.sharpness(none)) == (0, 0, 0)


def test_every_blur_is_less_sharp_and_contrast_does_not_matter(portrait: np.ndarray) -> None:
    sharpness = [Tones(cv2.GaussianBlur(portrait, (0, 0), sigma)).sharpness() for sigma in (0.3, 1, 2, 4)]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 80 > 40 > sharpness[-1]
    soft = cv2.GaussianBlur(portrait, (0, 0), 1)
    pale = (soft * 0.5 + 100).astype(np.uint8)
    assert Tones(pale).sharpness() == pytest.approx(Tones(soft).sharpness(), abs=5)


@pytest.mark.parametrize("sigmas", [(5, 1e-3), (1e-3, 5)])
def test_a_blur_along_one_axis_is_a_blur(portrait: np.ndarray, sigmas: tuple[float, float]) -> None:
    moved = cv2.GaussianBlur(portrait, (0, 0), sigmaX=sigmas[0], sigmaY=sigmas[1])
    assert Tones(moved).sharpness() < 0.6 * Tones(portrait).sharpness()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 1, 3)])
def test_pictures_of_a_pixel_or_a_line(shape: tuple[int, int, int]) -> None:
    tones = Tones(np.full(shape, 200, np.uint8))
    assert tones.brightness() == pytest.approx(80.6, abs=0.1)
    assert tones.sharpness() == 0
