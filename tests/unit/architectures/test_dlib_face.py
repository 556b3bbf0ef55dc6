"""Alignment as dlib does it, and a face and its mirror image as one."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.architectures.dlib_face import DlibFace
from sightline.engines.base import Array
from sightline.errors import ModelMissing
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine
from tests.fakes.models import found

# dlib's five-point chip of 150 pixels with a quarter of padding, worked out by hand from its mean face: the person's
# left eye (outer, inner corner), right eye (outer, inner corner), base of the nose; and their places in the mesh.
CHIP = {263: (110.96, 46.34), 362: (89.61, 47.89), 33: (37.06, 46.37), 133: (58.41, 47.91), 2: (74.01, 87.78)}


FACE = found(0, 0, 150, 150)


def network() -> DlibFace:
    def left_and_right(batch: Array) -> Array:
        return np.stack([batch[..., :75].mean(axis=(1, 2, 3)), batch[..., 75:].mean(axis=(1, 2, 3))], axis=1)

    spec = {"width": 150, "height": 150, "layout": "NCHW"}
    return DlibFace(card(input=spec), FakeEngine(left_and_right, (None, 3, 150, 150)))


def mesh(scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    points = np.zeros((468, 2), np.float32)
    for index, place in CHIP.items():
        points[index] = np.array(place) * scale + shift
    return points


def test_a_face_and_its_mirror_image_are_averaged() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3)).astype(np.uint8)
    faces[:, :, :75] //= 2
    embedder = network()
    vectors = embedder.embed(faces)
    assert vectors.shape == (3, 2)
    assert vectors[:, 0] == pytest.approx(faces.mean(axis=(1, 2, 3)), rel=1e-3)
    assert vectors == pytest.approx(embedder.embed(faces[:, :, ::-1]), rel=1e-5)
    assert len(embedder.engine.seen[0][0]) == 6


def test_a_face_that_lies_as_the_chip_does_is_cut_out_as_it_is() -> None:
    pixels = np.kron(np.random.default_rng(1).integers(0, 256, (20, 20, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    chip = network().align(pixels, FACE, mesh())
    assert chip.shape == (150, 150, 3)
    assert np.abs(chip.astype(int) - pixels[:150, :150]).mean() < 1
    moved = network().align(pixels, FACE, mesh(shift=20))
    assert np.abs(moved.astype(int) - pixels[20:170, 20:170]).mean() < 1


def test_without_a_mesh_it_says_what_is_missing() -> None:
    assert DlibFace.needs_mesh
    with pytest.raises(ModelMissing, match="facemesh"):
        network().align(np.zeros((150, 150, 3), np.uint8), FACE, None)
