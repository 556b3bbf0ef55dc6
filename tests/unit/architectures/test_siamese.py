"""What a siamese tower sees of a face, and the distances between its vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sightline.architectures.siamese import TEMPLATE, Siamese
from sightline.engines.base import Array
from sightline.errors import InvalidCard
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine
from tests.fakes.models import found

SIDE = 64


def tower(**options: Any) -> Siamese:
    def left_and_right(batch: Array) -> Array:
        return np.stack([batch[..., : SIDE // 2].mean(axis=(1, 2, 3)), batch[..., SIDE // 2 :].mean(axis=(1, 2, 3))], 1)

    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW", "mean": [0.0] * 3, "scale": [1 / 255] * 3}
    return Siamese(card(input=spec, options=options), FakeEngine(left_and_right, (None, 3, SIDE, SIDE)))


def drawn(seed: int = 1) -> np.ndarray:
    """Blocks of 8 x 8 pixels, 192 x 192 in all."""
    blocks = np.random.default_rng(seed).integers(0, 256, (24, 24, 3))
    return np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)


def mesh(side: float, left: float, top: float) -> np.ndarray:
    """A mesh whose five points lie as the template's in a square."""
    points = np.zeros((468, 2), np.float32)
    places = TEMPLATE * side + (left, top)
    for indices, place in zip(((33, 133), (362, 263), (1,), (61,), (291,)), places, strict=True):
        points[list(indices)] = place
    return points


def test_an_aligned_face_is_cut_out_where_its_points_lie() -> None:
    pixels = drawn()
    chip = tower(crop="aligned").align(pixels, found(0, 0, 10, 10), mesh(SIDE, 40, 16))
    assert chip.shape == (SIDE, SIDE, 3)
    assert np.abs(chip.astype(int) - pixels[16 : 16 + SIDE, 40 : 40 + SIDE]).mean() < 1


@pytest.mark.parametrize("crop", ["aligned", "box"])
def test_without_a_mesh_the_box_decides(crop: str) -> None:
    pixels = drawn(2)
    chip = tower(crop=crop, margin=2.0, shift_down=0.25).align(pixels, found(32, 40, 32, 32), None)
    left, top = 48 - SIDE // 2, 56 + 8 - SIDE // 2
    assert np.abs(chip.astype(int) - pixels[top : top + SIDE, left : left + SIDE]).mean() < 1


def test_a_box_crop_does_not_look_at_the_mesh() -> None:
    embedder, face = tower(crop="box"), found(20, 20, 64, 64)
    with_mesh = embedder.align(drawn(), face, mesh(SIDE, 0, 0))
    assert np.array_equal(with_mesh, embedder.align(drawn(), face, None))


def test_the_whole_picture_is_squeezed() -> None:
    wide = np.concatenate([np.zeros((50, 100, 3), np.uint8), np.full((50, 100, 3), 255, np.uint8)], axis=1)
    chip = tower(crop="whole").align(wide, found(0, 0, 5, 5), None)
    assert chip[:, : SIDE // 2].max() == 0
    assert chip[:, SIDE // 2 :].min() == 255


def test_a_crop_nobody_knows() -> None:
    with pytest.raises(InvalidCard, match="aligned, box or whole"):
        tower(crop="nose").align(drawn(), found(0, 0, 9, 9), None)


def test_a_mirror_image_is_averaged_where_the_card_says_so() -> None:
    faces = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    faces[:, :, : SIDE // 2] = 255
    assert tower().embed(faces) == pytest.approx(np.array([[1, 0], [1, 0]]))
    assert tower(mirror=True).embed(faces) == pytest.approx(np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("metric", "distance"), [("euclidean", 5.0), ("squared", 25.0), ("manhattan", 7.0), ("cosine", 1 - 7 / 50**0.5)]
)
def test_distances(metric: str, distance: float) -> None:
    a, b = np.array([1, 1], np.float32), np.array([4, 5], np.float32)
    if metric == "cosine":
        a, b = np.array([3, 4], np.float32), np.array([1, 1], np.float32)
    assert tower(metric=metric).distance(a, b) == pytest.approx(distance, abs=1e-6)
    assert tower(metric=metric).distance(a, a) == pytest.approx(0, abs=1e-6)


def test_a_metric_nobody_knows() -> None:
    with pytest.raises(InvalidCard, match="euclidean"):
        tower(metric="hamming").distance(np.zeros(2, np.float32), np.ones(2, np.float32))
