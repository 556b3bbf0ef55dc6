"""Patches lie where they are put, at any size of the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.images.geometry import Box
from sightline.images.patch import Patch, Window

sides = st.integers(1, 60)
anywhere = st.floats(-80, 140)


@given(anywhere, anywhere, st.floats(0, 150), st.floats(0, 150), sides, sides, st.sampled_from([0.0, 0.25]))
def test_a_window_lies_inside_and_holds_what_the_box_touches(
    x: float, y: float, w: float, h: float, width: int, height: int, grow: float
) -> None:
    window = Window.around(Box(x, y, w, h), width, height, grow)
    assert 0 <= window.left < window.right <= width
    assert 0 <= window.top < window.bottom <= height
    touched = [c for c in range(width) if c + 1 > x and c < x + w]
    assert all(window.left <= column < window.right for column in touched)
    assert np.zeros((height, width))[window.slices].shape == (window.height, window.width)


def test_full_and_area() -> None:
    patch = Patch(2, 1, np.array([[True, False], [True, True]]))
    assert patch.area == 3
    full = patch.full(5, 4)
    assert full.shape == (4, 5)
    assert np.argwhere(full).tolist() == [[1, 2], [2, 2], [2, 3]]


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_patch_of_a_reduced_picture_grows_to_the_full_one(factor: int) -> None:
    disc = np.hypot(*np.mgrid[-15:16, -15:16]) <= 12
    patch = Patch(20, 10, disc)
    grown = patch.scaled(factor, factor, 100 * factor, 60 * factor).full(100 * factor, 60 * factor)
    exact = np.kron(patch.full(100, 60), np.ones((factor, factor), np.bool_))
    assert np.count_nonzero(grown & exact) / np.count_nonzero(grown | exact) > 0.93
    rows, columns = np.nonzero(grown)
    assert abs(rows.mean() + 0.5 - 25.5 * factor) < 0.05 * factor
    assert abs(columns.mean() + 0.5 - 35.5 * factor) < 0.05 * factor
    assert patch.scaled(1.0, 1.0, 100, 60) is patch


def test_a_patch_at_the_border_stays_inside() -> None:
    grown = Patch(8, 8, np.ones((2, 2), np.bool_)).scaled(2.1, 2.1, 21, 21)
    assert grown.full(21, 21)[17:, 17:].all()
