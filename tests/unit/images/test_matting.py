"""Matting on a picture whose true alpha and true colours are known, because the test makes them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sightline.errors import InvalidOption
from sightline.images import matting
from sightline.images.picture import Pixels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A dark, textured person with a soft wavy outline before a bright wall, and what a segmenter says of it."""

    pixels: Pixels
    alpha: Floats
    front: Floats
    mask: Floats


@pytest.fixture(scope="module", params=[(600, 450), (900, 1100), (200, 150)], ids=lambda size: f"{size[1]}x{size[0]}")
def scene(request: pytest.FixtureRequest) -> Scene:
    height, width = request.param
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = x - width / 2, y - height * 0.55
    angle = np.arctan2(dy, dx)
    radius = min(height, width) * (0.3 + 0.02 * np.sin(9 * angle))
    alpha = np.clip((radius - np.hypot(dx, dy)) / 3 + 0.5, 0, 1).astype(np.float32)
    noise = np.random.default_rng(7).normal(0, 8, (height, width, 1)).astype(np.float32)
    front = np.clip(np.float32([90, 50, 40]) + noise, 0, 255)
    wall = np.float32([205, 220, 235]) + noise / 2
    pixels = np.clip(front * alpha[..., None] + wall * (1 - alpha[..., None]) + 0.5, 0, 255).astype(np.uint8)
    # A segmenter's answer: blurred, small, square, and two of its pixels out of place.
    coarse = cv2.resize(cv2.GaussianBlur(alpha, (0, 0), max(height, width) / 128), (128, 128))
    return Scene(pixels, alpha, front, np.roll(coarse, 1, axis=(0, 1)))


def _near_edge(alpha: Floats) -> npt.NDArray[np.bool_]:
    kernel = np.ones((21, 21), np.uint8)
    inside = (alpha > 0.5).astype(np.uint8)
    return (cv2.dilate(inside, kernel) - cv2.erode(inside, kernel)) > 0


def test_refining_moves_the_mask_onto_the_picture_s_edge(scene: Scene) -> None:
    refined = matting.refine(scene.mask, scene.pixels)
    edge = _near_edge(scene.alpha)
    before = np.abs(cv2.resize(scene.mask, scene.alpha.shape[::-1]) - scene.alpha)[edge].mean()
    after = np.abs(refined - scene.alpha)[edge].mean()
    assert refined.dtype == np.float32
    assert refined.shape == scene.alpha.shape
    assert after < 0.35 * before
    assert after < 0.05


def test_refining_leaves_the_inside_whole_and_the_outside_empty(scene: Scene) -> None:
    refined = matting.refine(scene.mask, scene.pixels)
    distance = max(scene.alpha.shape) // 25
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    inside = cv2.erode((scene.alpha == 1).astype(np.uint8), kernel) > 0
    outside = cv2.erode((scene.alpha == 0).astype(np.uint8), kernel) > 0
    assert inside.any()
    assert outside.any()
    assert (refined[inside] == 1).all()
    assert (refined[outside] == 0).all()
    assert refined.min() == 0
    assert refined.max() == 1


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.1, 0.0), (0.9, 1.0)])
def test_a_flat_mask_stays_flat_whatever_the_picture_shows(scene: Scene, value: float, expected: float) -> None:
    refined = matting.refine(np.full((64, 64), value, np.float32), scene.pixels)
    assert (refined == expected).all()


def test_tiles_leave_no_seam(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = matting.refine(scene.mask, scene.pixels)
    colours = matting.foreground(scene.pixels, scene.alpha)
    monkeypatch.setattr(matting, "_TILE", 100_000)
    assert np.abs(matting.refine(scene.mask, scene.pixels) - alpha).max() < 0.03
    assert np.abs(matting.foreground(scene.pixels, scene.alpha).astype(int) - colours).max() <= 2


def test_refining_changes_neither_the_mask_nor_the_picture(scene: Scene) -> None:
    mask, pixels = scene.mask.copy(), scene.pixels.copy()
    matting.foreground(scene.pixels, matting.refine(scene.mask, scene.pixels))
    assert np.array_equal(mask, scene.mask)
    assert np.array_equal(pixels, scene.pixels)


def test_a_picture_of_one_pixel_or_one_row() -> None:
    for shape in ((1, 1), (1, 700), (700, 1), (2, 3)):
        pixels = np.full((*shape, 3), 120, np.uint8)
        alpha = matting.refine(np.ones((8, 8), np.float32), pixels)
        assert alpha.shape == shape
        assert (alpha == 1).all()
        assert np.array_equal(matting.foreground(pixels, np.full(shape, 0.5, np.float32)).shape, pixels.shape)


def test_the_foreground_loses_the_wall_s_colour_at_the_rim(scene: Scene) -> None:
    rim = (scene.alpha > 0.1) & (scene.alpha < 0.9)
    clean = matting.foreground(scene.pixels, scene.alpha).astype(np.float32)
    before = np.abs(scene.pixels - scene.front)[rim].mean()
    after = np.abs(clean - scene.front)[rim].mean()
    assert after < 0.25 * before


def test_the_foreground_is_the_picture_itself_away_from_the_rim(scene: Scene) -> None:
    clean = matting.foreground(scene.pixels, scene.alpha)
    certain = (scene.alpha == 0) | (scene.alpha == 1)
    assert np.array_equal(clean[certain], scene.pixels[certain])
    assert not np.array_equal(clean, scene.pixels)


def test_a_cut_out_on_a_dark_background_has_no_bright_halo(scene: Scene) -> None:
    """All steps together: nowhere may the composite be brighter than the person and the new background are."""
    dark = np.zeros_like(scene.pixels)
    alpha = matting.refine(scene.mask, scene.pixels)
    result = matting.composite(matting.foreground(scene.pixels, alpha), alpha, dark)
    naive = matting.composite(scene.pixels, cv2.resize(scene.mask, scene.alpha.shape[::-1]), dark)
    limit = scene.front.max(axis=(0, 1)) + 10
    assert (naive > limit).mean() > 0.005, "the scene would show a halo"
    assert (result > limit).mean() < 0.1 * (naive > limit).mean()


def test_composite_is_the_weighted_mean() -> None:
    random = np.random.default_rng(3)
    front, back = random.integers(0, 256, (2, 37, 53, 3), dtype=np.uint8)
    alpha = random.random((37, 53), dtype=np.float32)
    alpha[:5], alpha[5:10] = 0, 1
    result = matting.composite(front, alpha, back)
    exact = front * alpha[..., None] + back * (1 - alpha[..., None])
    assert result.dtype == np.uint8
    assert np.abs(result - exact).max() <= 0.51
    assert np.array_equal(result[:5], back[:5])
    assert np.array_equal(result[5:10], front[5:10])


def test_sizes_that_do_not_fit_are_named() -> None:
    pixels, alpha = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6), np.float32)
    for call in (
        lambda: matting.foreground(pixels, alpha),
        lambda: matting.composite(pixels, alpha, pixels),
        lambda: matting.composite(pixels, alpha[:, :5], pixels[:3]),
    ):
        with pytest.raises(InvalidOption, match="mask"):
            call()
