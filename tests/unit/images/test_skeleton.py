"""Skeletons: bones between points that are there, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.images.draw import Sketch
from sightline.images.skeleton import BONES, draw_skeleton


def drawn(points: dict[str, tuple[float, float]], ground: int = 128, size: float = 400) -> np.ndarray:
    before = np.full((400, 400, 3), ground, np.uint8)
    sketch = Sketch(before)
    draw_skeleton(sketch, points, size)
    return (np.asarray(sketch.image) != before).any(axis=2)


def test_a_bone_joins_two_points_that_are_there() -> None:
    both = drawn({"left_hip": (100, 100), "left_knee": (100, 300)})
    assert both[200, 100]
    assert not both[200, 120]
    alone = drawn({"left_hip": (100, 100), "right_knee": (100, 300)})
    assert alone[100, 100]
    assert not alone[200, 100], "these two are not joined"
    assert not drawn({}).any()


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_it_shows_on_any_ground(ground: int) -> None:
    points = {"left_shoulder": (100.0, 100.0), "right_shoulder": (300.0, 100.0)}
    assert drawn(points, ground)[100, 110:290].all()


def test_lines_on_small_people_are_thinner() -> None:
    points = {"left_hip": (100.0, 100.0), "left_knee": (100.0, 300.0)}
    assert drawn(points, size=40)[200].sum() < drawn(points, size=400)[200].sum()


def test_points_outside_of_the_picture_are_no_error() -> None:
    assert drawn({"left_hip": (200.0, 200.0), "left_knee": (200.0, 9000.0)})[399, 200]


def test_the_bones_have_names_and_none_is_told_twice() -> None:
    assert len({frozenset(bone) for bone in BONES}) == len(BONES)
    assert all(a != b for a, b in BONES)
