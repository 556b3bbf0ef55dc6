"""OpenCV's search by gradient histograms, on the shipped coefficients."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import skimage.data

from sightline.engines.hog import HogEngine
from sightline.engines.registry import open_engine
from sightline.errors import EngineError
from sightline.models.store import ZOO
from sightline.settings import Settings

PEOPLE = ZOO / "hog-people" / "people.npy"
SEARCH = np.array([1.05, 8])


def test_the_coefficients_are_opencv_s() -> None:
    own = np.asarray(cv2.HOGDescriptor_getDefaultPeopleDetector(), np.float32).reshape(-1)
    assert (np.load(PEOPLE, allow_pickle=False) == own).all()


def test_it_measures_what_opencv_measures() -> None:
    engine = open_engine("hog", PEOPLE, Settings())
    picture = np.ascontiguousarray(skimage.data.astronaut())
    boxes, distances = engine.run(picture, SEARCH)
    opencv = cv2.HOGDescriptor()
    opencv.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    wanted, weights = opencv.detectMultiScale(picture, winStride=(8, 8), padding=(16, 16), scale=1.05, groupThreshold=0)
    assert boxes.dtype == distances.dtype == np.float32
    assert len(boxes) > 0
    order, theirs = np.lexsort(boxes.T), np.lexsort(np.asarray(wanted).T)
    assert (boxes[order] == np.asarray(wanted)[theirs]).all()
    np.testing.assert_allclose(distances[order], np.asarray(weights).reshape(-1)[theirs], rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 3), (40, 20, 3), (300, 2, 3), (200, 200, 3)])
def test_nothing_found_keeps_its_shape(shape: tuple[int, int, int]) -> None:
    boxes, distances = HogEngine(PEOPLE).run(np.zeros(shape, np.uint8), SEARCH)
    assert boxes.shape == (0, 4)
    assert distances.shape == (0,)


def test_arrays_that_do_not_fit() -> None:
    engine = HogEngine(PEOPLE)
    with pytest.raises(EngineError):
        engine.run(np.zeros((9, 9), np.uint8), SEARCH)
    with pytest.raises(EngineError):
        engine.run(np.zeros((9, 9, 3), np.uint8))


def test_files_that_hold_no_plane(tmp_path) -> None:
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    short = io.BytesIO()
    np.save(short, np.zeros(100, np.float32))
    for number, content in enumerate((b"", b"no numbers", pickled.getvalue(), short.getvalue())):
        path = tmp_path / f"{number}.npy"
        path.write_bytes(content)
        with pytest.raises(EngineError, match="holds no plane"):
            HogEngine(path)
    with pytest.raises(EngineError, match="holds no plane"):
        HogEngine(tmp_path / "nothing.npy")
