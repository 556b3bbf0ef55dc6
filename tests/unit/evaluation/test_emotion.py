"""Accuracy and recalls on pictures whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sightline.architectures.base import FaceFound
from sightline.errors import InvalidOption
from sightline.evaluation.emotion import evaluate
from sightline.settings import Settings
from sightline.tasks.emotion import EMOTIONS, Emotion
from tests.fakes.models import BrightFaces, FakeClassifier, FakeDetector, found


class ByBrightness(FakeClassifier):
    """The brighter the crop, the later the label: 60 + 20 x index. In the card's own, other order."""

    def __init__(self) -> None:
        super().__init__(tuple(reversed(EMOTIONS)))

    def scores(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(faces), 7), np.float32)
        for row, face in zip(rows, faces, strict=True):
            index = int(np.clip(round((float(np.median(face)) - 60) / 20), 0, 6))
            row[self.card.labels.index(EMOTIONS[index])] = 1
        return rows


@pytest.fixture
def task(tmp_path: Path) -> Emotion:
    return Emotion(ByBrightness(), BrightFaces(), Settings(cache=tmp_path, offline=True))


def write(data: Path, folder: str, shows: str | None, name: str) -> None:
    """A photo in the folder of one emotion that shows another."""
    photo = np.zeros((60, 60, 3), np.uint8)
    if shows is not None:
        photo[10:50, 10:50] = 60 + 20 * EMOTIONS.index(shows)
    (data / folder).mkdir(exist_ok=True)
    Image.fromarray(photo).save(data / folder / name)


def fill(data: Path) -> None:
    # Happy: 3 of 4 right; sad: 0 of 1; angry: 1 of 1.
    for index, shows in enumerate(("happy", "happy", "happy", "sad")):
        write(data, "happy", shows, f"{index}.png")
    write(data, "sad", "fear", "0.png")
    write(data, "angry", "angry", "0.PNG")
    (data / "angry" / "notes.txt").write_text("no picture")


def test_accuracy_and_its_mean_over_classes(task: Emotion, tmp_path: Path) -> None:
    fill(tmp_path)
    got = evaluate(task, tmp_path, 2)
    assert got["n"] == 6
    assert got["accuracy"] == pytest.approx(4 / 6, abs=1e-5)
    assert got["recall"] == {"angry": 1, "happy": 0.75, "sad": 0}
    assert got["balanced_accuracy"] == pytest.approx(1.75 / 3, abs=1e-5)
    assert got["skipped"]["count"] == 0


def test_pictures_without_a_face_are_skipped_and_named(task: Emotion, tmp_path: Path) -> None:
    fill(tmp_path)
    write(tmp_path, "sad", None, "empty.png")
    (tmp_path / "sad" / "broken.png").write_bytes(b"")
    got = evaluate(task, tmp_path, 1)
    assert got["n"] == 6
    assert got["skipped"] == {"count": 2, "why": {"sad/broken.png": "invalid_image", "sad/empty.png": "no_face"}}


def test_the_largest_face_is_judged(task: Emotion, tmp_path: Path) -> None:
    photo = np.zeros((60, 90, 3), np.uint8)
    photo[5:15, 5:15] = 60 + 20 * EMOTIONS.index("sad")
    photo[10:50, 40:80] = 60 + 20 * EMOTIONS.index("surprise")
    (tmp_path / "surprise").mkdir()
    Image.fromarray(photo).save(tmp_path / "surprise" / "two.png")
    assert evaluate(task, tmp_path, 1)["accuracy"] == 1


def test_crops_skip_the_detector(task: Emotion, tmp_path: Path) -> None:
    for name in ("disgust", "neutral"):
        (tmp_path / name).mkdir()
        grey = np.full((48, 48), 60 + 20 * EMOTIONS.index(name), np.uint8)
        Image.fromarray(grey).save(tmp_path / name / "crop.png")
    got = evaluate(task, tmp_path, 1, shown="crops")
    assert (got["n"], got["accuracy"], got["skipped"]["count"]) == (2, 1, 0)
    task.detector = FakeDetector()  # finds nothing: with crops it is not asked
    assert evaluate(task, tmp_path, 1, shown="crops")["n"] == 2
    with pytest.raises(InvalidOption, match="could be judged"):
        evaluate(task, tmp_path, 1)


def test_folders_that_cannot_be_judged(task: Emotion, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="no folders called angry"):
        evaluate(task, tmp_path, 1)
    with pytest.raises(InvalidOption, match="not a folder"):
        evaluate(task, tmp_path / "absent", 1)
    write(tmp_path, "sad", None, "empty.png")
    with pytest.raises(InvalidOption, match="could be judged"):
        evaluate(task, tmp_path, 1)


class WholeFace(FakeDetector):
    """Sees a face only where there is room around it: the grey of the border, at least a tenth of the side wide."""

    def detect(self, pixels: npt.NDArray[np.uint8], at_least: float | None = None) -> list[FaceFound]:
        rows = np.flatnonzero((pixels != 128).any(axis=(1, 2)))
        border = int(rows[0]) if len(rows) else 0
        if border < len(pixels) / 10:
            return []
        return [found(border, border, pixels.shape[1] - 2 * border, pixels.shape[0] - 2 * border)]


def test_framed_crops_have_room_for_the_detector(task: Emotion, tmp_path: Path) -> None:
    for name in ("disgust", "neutral"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((48, 48), 62 + 20 * EMOTIONS.index(name), np.uint8)).save(tmp_path / name / "crop.png")
    task.detector = WholeFace()
    got = evaluate(task, tmp_path, 1, shown="framed")
    assert (got["n"], got["accuracy"], got["skipped"]["count"]) == (2, 1, 0)
    with pytest.raises(InvalidOption, match="could be judged"):
        evaluate(task, tmp_path, 1)


def test_pictures_that_were_learnt_from_are_left_out(task: Emotion, tmp_path: Path) -> None:
    judged, learnt = tmp_path / "valid", tmp_path / "train"
    for folder in (judged, learnt):
        folder.mkdir()
    write(judged, "happy", "happy", "0.png")
    write(judged, "sad", "fear", "1.png")
    write(learnt, "neutral", "fear", "another_name.bmp")  # the same pixels under another name, label and format
    assert evaluate(task, judged, 1)["n"] == 2
    got = evaluate(task, judged, 1, without=learnt)
    assert (got["n"], got["accuracy"]) == (1, 1)
