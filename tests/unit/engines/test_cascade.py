"""OpenCV's cascades, on the file that OpenCV brings along."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sightline.engines.cascade import CascadeEngine
from sightline.engines.registry import open_engine
from sightline.errors import EngineError
from sightline.settings import Settings

FRONTAL = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
SEARCH = np.array([1.2, 5, 48])


@pytest.fixture(scope="module")
def engine() -> CascadeEngine:
    return CascadeEngine(FRONTAL)


@pytest.fixture(scope="module")
def grey(portrait: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY), np.uint8)


def test_it_finds_a_face(engine: CascadeEngine, grey: npt.NDArray[np.uint8]) -> None:
    boxes, scores = engine.run(grey, SEARCH)
    assert boxes.dtype == scores.dtype == np.float32
    assert len(boxes) == len(scores) >= 1
    x, y, width, height = boxes[int(np.argmax(scores))]
    assert 150 < x + width / 2 < 290
    assert 50 < y + height / 2 < 190


@pytest.mark.parametrize("shape", [(1, 1), (24, 24), (300, 2), (200, 200)])
def test_nothing_found_keeps_its_shape(engine: CascadeEngine, shape: tuple[int, int]) -> None:
    boxes, scores = engine.run(np.zeros(shape, np.uint8), SEARCH)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.mark.parametrize(
    "arrays",
    [
        (np.zeros((50, 50), np.uint8),),
        (np.zeros((50, 50, 3), np.uint8), SEARCH),
        (np.zeros((50, 50), np.float32), SEARCH),
        (np.zeros((50, 50), np.uint8), SEARCH.astype(np.float32)),
        (np.zeros((50, 50), np.uint8), SEARCH[:2]),
        (np.zeros((50, 50), np.uint8), np.array([0.5, 5, 48])),
    ],
)
def test_inputs_that_do_not_fit(engine: CascadeEngine, arrays: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(EngineError):
        engine.run(*arrays)


@pytest.mark.parametrize("data", [None, b"", b"not XML at all", b"<?xml version='1.0'?><opencv_storage/>"])
def test_a_file_that_is_no_cascade(data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "cascade.xml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EngineError, match=r"cascade\.xml"):
        open_engine("cascade", path, Settings(cache=tmp_path))


def test_many_threads_find_the_same(engine: CascadeEngine, grey: npt.NDArray[np.uint8]) -> None:
    small = cv2.resize(grey, (128, 128))
    turned = small[:, ::-1].copy()
    search = np.array([1.2, 3, 24])
    wanted = [engine.run(picture, search) for picture in (small, turned)]
    assert len(wanted[0][0])
    with ThreadPoolExecutor(6) as pool:
        runs = pool.map(lambda index: engine.run((small, turned)[index % 2], search), range(24))
        for index, (boxes, scores) in enumerate(runs):
            assert np.array_equal(boxes, wanted[index % 2][0])
            assert np.array_equal(scores, wanted[index % 2][1])
