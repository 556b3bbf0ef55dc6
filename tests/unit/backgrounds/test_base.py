"""Covering a size, and one colour as a background."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.backgrounds import cover, solid
from sightline.errors import InvalidOption


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (400, 100), (7, 300), (1, 1), (60, 30), (61, 31)])
def test_covers_the_size_exactly(size: tuple[int, int]) -> None:
    picture = np.full((30, 60, 3), 77, np.uint8)
    covered = cover(picture, *size)
    assert covered.shape == (size[1], size[0], 3)
    assert (covered == 77).all()


def test_keeps_the_middle_and_the_proportions() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = 255  # the middle third is a white square
    assert (cover(picture, 50, 50) == 255).all()
    wide = cover(picture, 150, 50)
    assert (wide[:, 52:98] == 255).all()
    assert (wide[:, :48] == 0).all()


def test_the_same_size_is_a_copy() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    covered = cover(picture, 6, 4)
    covered[:] = 9
    assert (picture == 0).all()


def test_no_pixels_are_no_size() -> None:
    with pytest.raises(InvalidOption):
        cover(np.zeros((4, 6, 3), np.uint8), 0, 4)


@pytest.mark.parametrize(
    ("color", "rgb"),
    [
        ("navy", (0, 0, 128)),
        ("#0f8", (0, 255, 136)),
        ("#102030", (16, 32, 48)),
        (" White ", (255, 255, 255)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("#102030ff", (16, 32, 48)),
    ],
)
def test_a_colour(color: str, rgb: tuple[int, int, int]) -> None:
    found = solid(color, (5, 3))
    assert found.pixels.shape == (3, 5, 3)
    assert found.pixels.dtype == np.uint8
    assert (found.pixels == rgb).all()
    assert found.source == "color"


@pytest.mark.parametrize("color", ["", "navi", "#12", "#1020308", "rgb(1,2)", "#10203080", "x" * 5000])
def test_no_colour(color: str) -> None:
    with pytest.raises(InvalidOption):
        solid(color, (5, 3))
