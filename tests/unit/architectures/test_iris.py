"""The iris network: where its points come back to, and what it sees in a real face."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sightline.architectures.iris import Iris
from sightline.tasks.details.pose import canonical_face
from sightline.tasks.face_details import load_describer
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

CARD = card(name="iris", architecture="iris", engine="litert", input={"width": 64, "height": 64})


def mesh_of(corners: dict[int, tuple[float, float]]) -> np.ndarray:
    mesh = np.zeros((468, 2), np.float32)
    for index, point in corners.items():
        mesh[index] = point
    return mesh


LEVEL = mesh_of({33: (100, 200), 133: (140, 200), 362: (200, 200), 263: (240, 200)})


def answering(outline: np.ndarray, iris: np.ndarray) -> Iris:
    """An iris network that sees these points (crop pixels) in every crop."""
    flat = [
        np.column_stack([points, np.zeros(len(points))]).astype(np.float32).reshape(1, -1) for points in (outline, iris)
    ]
    return Iris(CARD, FakeEngine(lambda _: (flat[0], flat[1]), (1, 64, 64, 3)))


def test_points_come_back_to_the_eye_and_the_left_one_is_seen_mirrored() -> None:
    # A crop is 2.3 eyes wide: the corners lie 64 / 2.3 / 2 pixels from its middle, the inner one at the left.
    half = 64 / 2.3 / 2
    outline = np.full((71, 2), 32.0)
    outline[0], outline[8] = (32 + half, 32), (32 - half, 32)
    iris = np.array([[32 + half / 2, 32 + half / 2]] * 5)
    left, right = answering(outline, iris).eyes(np.zeros((400, 400, 3), np.uint8), LEVEL)
    assert left.outline.shape == right.outline.shape == (16, 2)
    assert left.outline[0] == pytest.approx((100, 200), abs=1e-3)
    assert left.outline[8] == pytest.approx((140, 200), abs=1e-3)
    assert right.outline[0] == pytest.approx((240, 200), abs=1e-3)
    assert right.outline[8] == pytest.approx((200, 200), abs=1e-3)
    # Half way to the outer corner and as far down, in either eye.
    assert left.iris[0] == pytest.approx((110, 210), abs=1e-3)
    assert right.iris[0] == pytest.approx((230, 210), abs=1e-3)


def test_a_tilted_eye_is_shown_level() -> None:
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[:200] = 255
    engine = FakeEngine(lambda _: (np.zeros((1, 213), np.float32), np.zeros((1, 15), np.float32)), (1, 64, 64, 3))
    # The head lies on its side.
    tilted = mesh_of({33: (200, 260), 133: (200, 220), 362: (200, 180), 263: (200, 140)})
    Iris(CARD, engine).eyes(pixels, tilted)
    left, right = (arrays[0][0, ..., 0] for arrays in engine.seen)
    # The crops reach from 194 to 286 and from 114 to 206: white, above 200, is a strip at the inner side of the left
    # eye and all but such a strip of the right one. The inner side is at the left in both.
    assert (left[:, :4] == left.max()).all()
    assert (left[:, 6:] == 0).all()
    assert (right[:, :4] == 0).all()
    assert (right[:, 6:] == left.max()).all()


def test_eyes_of_no_width_are_no_error() -> None:
    engine = FakeEngine(lambda _: (np.zeros((1, 213), np.float32), np.zeros((1, 15), np.float32)), (1, 64, 64, 3))
    left, right = Iris(CARD, engine).eyes(np.zeros((9, 9, 3), np.uint8), np.zeros((468, 2), np.float32))
    assert np.isfinite(left.outline).all()
    assert np.isfinite(right.iris).all()


@pytest.mark.models
def test_a_real_eye_has_its_iris_between_its_lids_where_it_is_dark(portrait: np.ndarray) -> None:
    describer = load_describer()
    assert describer.mesher is not None
    assert describer.eyes is not None
    (face,) = describer.detector.detect(portrait)
    mesh, _ = describer.mesher.points(portrait, face)
    for eye, (first, second) in zip(describer.eyes.eyes(portrait, mesh), ((33, 133), (362, 263)), strict=True):
        width = np.linalg.norm(mesh[first] - mesh[second])
        corners = sorted([eye.outline[0], eye.outline[8]], key=lambda point: point[0])
        for corner, index in zip(corners, (first, second), strict=True):
            assert np.linalg.norm(corner - mesh[index]) < 0.35 * width
        low, high = eye.outline.min(axis=0), eye.outline.max(axis=0)
        center = eye.iris[0]
        assert (low < center).all()
        assert (center < high).all()
        assert all(upper[1] < lower[1] for upper, lower in zip(eye.outline[10:15], eye.outline[2:7], strict=True))
        assert all(abs(b[0] - a[0]) < width / 2 for a, b in pairwise(eye.outline[:9]))
        x, y = center.round().astype(int)
        skin = portrait[y + round(width) : y + round(width) + 4, x - 3 : x + 4]
        assert portrait[y - 1 : y + 2, x - 1 : x + 2].mean() < 0.6 * skin.mean()
    assert canonical_face().shape == (468, 3)
