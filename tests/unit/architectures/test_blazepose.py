"""BlazePose: the square around a body, and where the points of a crop come back to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.architectures.blazepose import BlazePose
from sightline.architectures.blazepose_detector import BlazePoseDetector, upright
from sightline.architectures.people import PersonFound, Upright
from sightline.images.geometry import Box
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

SIZE = 256
BLANK = np.zeros((100, 200, 3), np.uint8)


def points(*rows: tuple[float, float]) -> list[np.ndarray]:
    return [np.array(row, np.float32) for row in rows]


@pytest.mark.parametrize(
    ("above", "angle"), [((50, 20), 0), ((130, 100), math.pi / 2), ((-30, 100), -math.pi / 2), ((50, 180), math.pi)]
)
def test_the_square_stands_as_the_body_does(above: tuple[float, float], angle: float) -> None:
    hips, head = points((50, 100), above)
    square = upright(hips, head)
    assert square.center == (50, 100)
    assert square.side == pytest.approx(2 * 80 * 1.25)
    assert math.cos(square.angle - angle) == pytest.approx(1)


def test_hips_on_the_circle_are_no_error() -> None:
    hips, head = points((5, 5), (5, 5))
    assert upright(hips, head).side == 1


def detector(boxes: list[list[float]], logits: list[float]) -> BlazePoseDetector:
    """A detector of one anchor at the middle of a 4 x 4 input for each of these rows."""
    raw = np.array([boxes], np.float32)
    made = card(
        input={"width": 4, "height": 4},
        options={"strides": [4], "anchors_per_cell": len(boxes)},
        thresholds={"score": 0.5, "iou": 0.3},
    )
    return BlazePoseDetector(made, FakeEngine(lambda _: (raw, np.array([logits], np.float32)[..., None])))


def test_people_have_the_square_of_their_body_not_the_box_of_their_head() -> None:
    # A 200 x 100 picture in 4 x 4: an input pixel is 50, with 50 above the picture. The anchor is at (2, 2): (100, 50).
    head = [0, -0.5, 0.2, 0.2]
    row = [*head, 0, 0, 0, -0.4, 0, -0.2, 0, -0.3]
    (person,) = detector([row, [*head, *[0.0] * 8]], [3.0, -3.0]).detect(BLANK)
    assert person.confidence == pytest.approx(1 / (1 + math.exp(-3)))
    assert person.upright is not None
    assert person.upright.center == pytest.approx((100, 50))
    assert person.upright.side == pytest.approx(2 * 20 * 1.25)
    assert person.upright.angle == pytest.approx(0)
    assert person.box.corners == pytest.approx((75, 25, 125, 75))


def test_people_who_overlap_stay_apart_as_long_as_their_heads_do() -> None:
    body = [0.0, 0, 0, -0.4, 0, 0, 0, 0]
    rows = [[-0.3, -0.5, 0.2, 0.2, *body], [0.3, -0.5, 0.2, 0.2, *body], [0.31, -0.5, 0.2, 0.2, *body]]
    assert len(detector(rows, [2.0, 1.0, 0.5]).detect(BLANK)) == 2
    assert detector(rows, [2.0, 1.0, 0.5]).detect(BLANK, 0.99) == []


def landmarks(crop_points: dict[int, tuple[float, float]], heat: np.ndarray | None = None) -> np.ndarray:
    rows = np.zeros((39, 5), np.float32)
    rows[:, 3] = 2.0
    for index, point in crop_points.items():
        rows[index, :2] = point
    return rows


def network(*looks: np.ndarray, heat: np.ndarray | None = None, passes: int = 1) -> tuple[BlazePose, FakeEngine]:
    """A network that answers one of `looks` after the other."""
    heat = np.full((64, 64, 39), -9.0, np.float32) if heat is None else heat
    left = list(looks)

    def compute(_: np.ndarray) -> tuple[np.ndarray, ...]:
        mask, world = np.zeros((1, 256, 256, 1), np.float32), np.zeros((1, 117), np.float32)
        return left.pop(0).reshape(1, -1), np.array([[0.75]], np.float32), mask, heat[None], world

    labels = [f"point_{index}" for index in range(33)]
    made = card(input={"width": SIZE, "height": SIZE}, labels=labels, options={"passes": passes})
    engine = FakeEngine(compute, (1, SIZE, SIZE, 3))
    return BlazePose(made, engine), engine


@given(st.floats(-50, 300), st.floats(-50, 300), st.floats(1, 500), st.floats(-4, 4))
def test_points_come_back_from_the_turned_square(x: float, y: float, side: float, angle: float) -> None:
    # The middle of the upper border of the crop, and its centre.
    pose, _ = network(landmarks({0: (128, 0), 1: (128, 128)}))
    found = pose.pose(BLANK, PersonFound(Box(0, 0, 1, 1), 0.9, Upright((x, y), side, angle)))
    top = (x + math.sin(angle) * side / 2, y - math.cos(angle) * side / 2)
    np.testing.assert_allclose(found.points[:2], [top, (x, y)], atol=1e-2)
    assert found.points.shape == (33, 2)
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-2)))
    assert found.presence == 0.75


def test_a_box_alone_is_looked_at_upright() -> None:
    pose, _ = network(landmarks({0: (0, 0), 1: (256, 256)}))
    found = pose.pose(BLANK, PersonFound(Box(40, 20, 40, 80), 0.9))
    np.testing.assert_allclose(found.points[:2], [(10, 10), (110, 110)], atol=1e-3)


def test_the_second_look_is_laid_by_the_points_of_the_first() -> None:
    # The first look at the square (0, 0) to (100, 100) says: hips in its middle, the head to the right, 20 pixels away.
    first = landmarks({33: (128, 128), 34: (128 + 51.2, 128)})
    pose, engine = network(first, landmarks({0: (128, 128), 1: (128, 0)}), passes=2)
    found = pose.pose(BLANK, PersonFound(Box(10, 10, 80, 80), 0.9))
    assert len(engine.seen) == 2
    np.testing.assert_allclose(found.points[:2], [(50, 50), (75, 50)], atol=1e-3)


def test_a_sure_heat_map_moves_its_point_and_no_other() -> None:
    heat = np.full((64, 64, 39), -20.0, np.float32)
    heat[30, 33, 0] = 4.0  # beside point 0
    heat[30, 33, 1] = -1.0  # beside point 1, unsure
    heat[60, 60, 2] = 4.0  # far from point 2
    rows = landmarks({0: (128, 128), 1: (128, 128), 2: (128, 128), 3: (-40, 900)})
    pose, _ = network(rows, heat=heat)
    found = pose.pose(BLANK, PersonFound(Box(0, 0, 1, 1), 0.9, Upright((128, 128), 256, 0.0)))
    np.testing.assert_allclose(found.points[:4], [(33 * 4, 30 * 4), (128, 128), (128, 128), (-40, 900)], atol=1e-2)
