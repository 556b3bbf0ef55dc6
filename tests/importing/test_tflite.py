"""TFLite files are kept as they are, byte for byte, and answer on LiteRT. No extra is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from sightline.errors import ModelError
from sightline.tasks import registry
from tests.importing.shelf import Shelf
from tests.importing.tflite import network

RANDOM = np.random.default_rng(9)


def test_a_mask_network(shelf: Shelf, tmp_path: Path) -> None:
    weights = RANDOM.normal(0, 0.3, (64, 64)).astype(np.float32)
    data = network(8, 8, 1, weights)
    (tmp_path / "net.tflite").write_bytes(data)
    done = shelf.bring(tmp_path / "net.tflite", "lungs")
    assert (done.format, done.engine, done.parity.largest) == ("TFLite", "litert", 0)
    assert (shelf.folder / "net" / "model.tflite").read_bytes() == data
    pixels = RANDOM.integers(0, 256, (8, 8, 1)).astype(np.uint8).repeat(3, axis=2)
    wanted = 1 / (1 + np.exp(-(weights @ (pixels[..., 0].reshape(-1) / 255))))
    np.testing.assert_allclose(shelf.architecture("net").mask(pixels).reshape(-1), wanted, atol=1e-5)


def test_faces_are_asked_for_in_one_batch(shelf: Shelf, tmp_path: Path) -> None:
    """The file takes one picture; the engine asks it for each."""
    weights = RANDOM.normal(0, 0.3, (16, 192)).astype(np.float32)
    (tmp_path / "tower.tflite").write_bytes(network(8, 8, 3, weights))
    shelf.bring(tmp_path / "tower.tflite", "similarity")
    pictures = RANDOM.integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    wanted = 1 / (1 + np.exp(-(pictures.reshape(5, -1) / 255) @ weights.T))
    np.testing.assert_allclose(shelf.architecture("tower").embed(pictures), wanted, atol=1e-5)


def test_integer_pictures_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    weights = RANDOM.normal(0, 0.3, (64, 64)).astype(np.float32)
    (tmp_path / "net.tflite").write_bytes(network(8, 8, 1, weights, kind=schema.TensorType.UINT8))
    with pytest.raises(ModelError, match=r"float32|cannot load"):
        shelf.bring(tmp_path / "net.tflite", "lungs")
    assert shelf.is_empty()


@pytest.mark.models
def test_a_real_file_answers_as_the_shipped_card_does(shelf: Shelf, portrait_jpeg: Path) -> None:
    """MediaPipe's selfie segmenter, imported as if it were the user's, and the card that this project has for it."""
    from sightline.models.store import Store
    from sightline.settings import Settings

    settings = Settings.from_env()
    store = Store(settings)
    file = store.weights(store.card("selfie"))
    shelf.bring(file, "background", name="own")
    theirs = registry.load("background", model="selfie", settings=settings)(portrait_jpeg)
    ours = registry.load("background", model="own", settings=shelf.settings)(portrait_jpeg)
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    assert 0.2 < ours.coverage < 0.8
