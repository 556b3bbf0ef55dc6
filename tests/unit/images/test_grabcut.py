"""GrabCut on drawn things whose pixels are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from sightline.images.geometry import Box
from sightline.images.grabcut import cut, cut_plainly


def scene(width: int = 300, height: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A red triangle on noisy green, and its true pixels."""
    random = np.random.default_rng(0)
    pixels = np.full((height, width, 3), (40, 120, 50), np.uint8)
    true = np.zeros((height, width), np.uint8)
    cv2.fillPoly(
        true,
        [np.array([[width // 2, height // 5], [width // 4, height * 4 // 5], [width * 3 // 4, height * 4 // 5]])],
        1,
    )
    pixels[true > 0] = (200, 40, 40)
    noisy = np.clip(pixels + random.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)
    return noisy, true.astype(bool)


def box_of(true: np.ndarray) -> Box:
    rows, columns = np.nonzero(true)
    return Box.between(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.count_nonzero(found & true) / np.count_nonzero(found | true))


@pytest.mark.parametrize(("scale", "least"), [(1, 0.6), (6, 0.75)])
def test_colours_that_differ_are_told_apart(scale: int, least: float) -> None:
    pixels, true = scene(300 * scale, 200 * scale)
    plain = cut_plainly(pixels, box_of(true)).full(300 * scale, 200 * scale)
    assert overlap(plain, true) > 0.95
    shaped = cut(pixels, box_of(true)).full(300 * scale, 200 * scale)
    assert overlap(shaped, true) > least, "the shape rounds the corners off"
    whole = np.zeros_like(true)
    rows, columns = np.nonzero(true)
    whole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert overlap(shaped, true) > overlap(whole, true) + 0.1


def test_the_same_picture_has_the_same_answer_on_any_thread() -> None:
    pixels, true = scene()
    box = box_of(true)
    first = cut(pixels, box).inside
    cv2.setRNGSeed(99)
    with ThreadPoolExecutor(3) as pool:
        for patch in pool.map(lambda _: cut(pixels, box), range(6)):
            assert np.array_equal(patch.inside, first)


@pytest.mark.parametrize(
    "box", [Box(0, 0, 300, 200), Box(-50, -50, 20, 20), Box(10, 10, 0, 0), Box(299, 199, 50, 50), Box(5, 5, 0.4, 90)]
)
def test_boxes_of_any_kind(box: Box) -> None:
    pixels, _ = scene()
    for patch in (cut(pixels, box), cut_plainly(pixels, box), cut(np.zeros((3, 2, 3), np.uint8), box)):
        assert patch.inside.dtype == np.bool_
        assert patch.left >= 0
        assert patch.top >= 0


def test_one_colour_only_gives_the_shape_of_the_box() -> None:
    patch = cut(np.full((100, 100, 3), 90, np.uint8), Box(20, 30, 50, 40))
    assert (patch.left, patch.top) == (20, 30)
    assert patch.inside[20, 25]
    assert not patch.inside[0, 0]
