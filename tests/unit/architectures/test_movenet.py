"""MoveNet: which part of the picture it is shown, and where its points come back to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.architectures.movenet import MoveNet
from sightline.architectures.people import PersonFound
from sightline.images.geometry import Box
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

LABELS = ("nose", "left_hand", "right_hand")
SIZE = 48


def net(rows: object, **options: float | bool) -> tuple[MoveNet, FakeEngine]:
    """A network that answers `rows` (y, x, score), or what the function `rows` makes of what it sees."""
    compute = rows if callable(rows) else lambda _: np.array(rows, np.float32).reshape(1, 1, -1, 3)
    engine = FakeEngine(compute, (1, SIZE, SIZE, 3))
    made = card(name="movenet", input={"width": SIZE, "height": SIZE}, labels=list(LABELS), options=options)
    return MoveNet(made, engine), engine


def person(*box: float) -> PersonFound:
    return PersonFound(Box(*box), 0.9)


coordinate, length = st.floats(-200, 400), st.floats(5, 300)


@given(coordinate, coordinate, length, length, st.floats(1, 2))
def test_points_come_back_from_the_square_around_the_box(
    x: float, y: float, width: float, height: float, margin: float
) -> None:
    movenet, _ = net([[0.5, 0.5, 0.9], [0.0, 0.0, 0.2], [1.0, 1.0, 1.7]], margin=margin)
    found = movenet.pose(np.zeros((60, 80, 3), np.uint8), person(x, y, width, height))
    half = max(width, height) * margin / 2
    middle = np.array([x + width / 2, y + height / 2])
    np.testing.assert_allclose(found.points, [middle, middle - half, middle + half], atol=1e-2)
    assert found.scores.tolist() == pytest.approx([0.9, 0.2, 1.0])
    assert found.presence is None


def test_neighbours_are_black_and_the_person_is_not() -> None:
    movenet, engine = net([[0, 0, 0]] * 3, margin=1.0, room=1.2)
    movenet.pose(np.full((100, 200, 3), 200, np.uint8), person(80, 10, 20, 80))
    chip = engine.seen[0][0][0, ..., 0]
    shown = np.flatnonzero(chip[SIZE // 2])
    # The square is 80 wide, the box 20, what is shown 24: 14.4 of 48 pixels in the middle.
    assert len(shown) == pytest.approx(14.4, abs=1.1)
    assert shown.mean() == pytest.approx(SIZE / 2 - 0.5, abs=0.6)
    assert (chip[:, SIZE // 2] > 0).all()
    everything, engine = net([[0, 0, 0]] * 3, margin=1.0)
    everything.pose(np.full((100, 200, 3), 200, np.uint8), person(80, 10, 20, 80))
    assert (engine.seen[0][0] > 0).all()


def test_the_mirrored_look_gives_the_same_points_with_sides_changed() -> None:
    def bright(values: np.ndarray) -> np.ndarray:
        """All points where it is brightest, but the right hand, which is always unsure, at the left border."""
        row, column = np.unravel_index(values[0, ..., 0].argmax(), (SIZE, SIZE))
        point = [(row + 0.5) / SIZE, (column + 0.5) / SIZE]
        return np.array([[*point, 0.8], [*point, 0.6], [0.5, 0.0, 0.0]], np.float32).reshape(1, 1, 3, 3)

    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[10, 30] = 255
    once, _ = net(bright, margin=1.0)
    twice, engine = net(bright, margin=1.0, mirror=True)
    found = twice.pose(pixels, person(0, 0, SIZE, SIZE))
    assert len(engine.seen) == 2
    assert np.array_equal(engine.seen[1][0], engine.seen[0][0][:, :, ::-1])
    np.testing.assert_allclose(found.points[0], (30.5, 10.5), atol=1e-3)
    np.testing.assert_allclose(found.points[0], once.pose(pixels, person(0, 0, SIZE, SIZE)).points[0], atol=1e-3)
    # The mirrored picture's left hand is the right one, and each was seen by one look only.
    np.testing.assert_allclose(found.points[1], (30.5, 10.5), atol=1e-3)
    np.testing.assert_allclose(found.points[2], (30.5, 10.5), atol=1e-3)
    assert found.scores.tolist() == pytest.approx([0.8, 0.3, 0.3])


def test_a_box_of_no_size_is_no_error() -> None:
    movenet, _ = net([[0.5, 0.5, 0.0]] * 3, margin=1.0, room=1.2, mirror=True)
    assert np.isfinite(movenet.pose(np.zeros((9, 9, 3), np.uint8), person(4, 4, 0, 0)).points).all()
