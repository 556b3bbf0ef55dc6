"""Overlaps and surface distances of masks whose figures can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.evaluation.overlap import boundary_f, mask_figures, surface_distances


def square(left: int, top: int, side: int = 20, of: int = 100) -> np.ndarray:
    mask = np.zeros((of, of), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_the_same_mask() -> None:
    mask = square(30, 30)
    assert mask_figures(mask, mask) == {"dice": 1, "jaccard": 1, "sensitivity": 1, "specificity": 1}
    assert surface_distances(mask, mask) == (0, 0)
    assert boundary_f(mask, mask) == 1


def test_half_of_it() -> None:
    true, found = square(30, 30), square(30, 30)
    found[:, 40:] = False
    figures = mask_figures(found, true)
    assert figures["dice"] == pytest.approx(2 * 200 / 600)
    assert figures["jaccard"] == pytest.approx(0.5)
    assert figures["sensitivity"] == pytest.approx(0.5)
    assert figures["specificity"] == 1
    assert mask_figures(true, found)["specificity"] == pytest.approx(1 - 200 / 9800)


def test_a_shifted_square_lies_that_far_off() -> None:
    mean, hd95 = surface_distances(square(30, 30), square(35, 30))
    assert hd95 == pytest.approx(5)
    assert 1 < mean < 5
    assert boundary_f(square(30, 30), square(31, 30)) == 1  # within 0.75% of the diagonal
    assert boundary_f(square(30, 30), square(70, 70)) == 0


def test_nothing_to_compare() -> None:
    none = np.zeros((50, 50), bool)
    assert mask_figures(none, none)["dice"] == 1
    assert all(math.isnan(value) for value in surface_distances(none, square(0, 0, of=50)))
    assert boundary_f(none, none) == 1
    assert boundary_f(none, square(0, 0, of=50)) == 0
