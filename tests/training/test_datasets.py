"""Readers of the layouts that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.training import train
from sightline.training.datasets import DataError, list_masked, read_masked
from sightline.training.nets.emotion import EMOTIONS
from sightline.training.recipes.emotion import read_faces
from sightline.training.recipes.portraits import read_people

# The order in which FER2013's csv counts its classes.
CSV_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def fer_csv(path: Path, faces: int = 30) -> np.ndarray:
    draw = np.random.default_rng(4)
    pictures = draw.integers(0, 256, (faces, 48, 48)).astype(np.uint8)
    pictures[-1] = pictures[0]  # a test picture that is in the training rows
    lines = ["emotion,pixels,Usage"]
    for number, picture in enumerate(pictures):
        usage = "Training" if number < faces - 6 else "PublicTest"
        lines.append(f"{number % 7},{' '.join(map(str, picture.ravel()))},{usage}")
    path.write_text("\n".join(lines) + "\n")
    return pictures


@pytest.mark.parametrize("given", ["folder", "file"])
def test_fer2013_as_it_was_published(tmp_path: Path, given: str) -> None:
    pictures = fer_csv(tmp_path / "fer2013.csv")
    faces = read_faces(tmp_path if given == "folder" else tmp_path / "fer2013.csv")
    assert len(faces.train) + len(faces.tune) == 24
    assert faces.dropped == 1
    assert len(faces.valid) == 5
    assert np.array_equal(faces.valid.pictures[0, 0].numpy(), pictures[24])
    assert EMOTIONS[int(faces.valid.labels[0])] == CSV_ORDER[24 % 7]


def coco(folder: Path) -> np.ndarray:
    """Two pictures: a person as a polygon and one as run lengths; a dog; and nobody."""
    (folder / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / "images" / name), np.full((40, 60, 3), 128, np.uint8))
    runs = np.zeros((40, 60), np.uint8)
    runs[30:35, 40:50] = 1
    flat = runs.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    square: list[Any] = [[5, 5, 15, 5, 15, 20, 5, 20]]
    notes = [
        {"image_id": 1, "category_id": 1, "segmentation": square},
        {"image_id": 1, "category_id": 1, "segmentation": {"size": [40, 60], "counts": counts}},
        {"image_id": 2, "category_id": 18, "segmentation": square},
    ]
    images = [{"id": 2, "file_name": "b.jpg"}, {"id": 1, "file_name": "a.jpg"}]
    for image in images:
        image |= {"height": 40, "width": 60}
    kinds = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    facts = {"images": images, "annotations": notes, "categories": kinds}
    (folder / "instances.json").write_text(json.dumps(facts))
    return runs


def test_coco_masks_of_one_category(tmp_path: Path) -> None:
    runs = coco(tmp_path)
    people = read_masked(list_masked(tmp_path, "person"), (40, 60), grey=False)
    assert people.names == ("a", "b")
    mask = people.masks[0, 0].numpy() > 0
    assert mask[runs > 0].all()
    assert mask[6:20, 6:15].all()
    assert mask.sum() == runs.sum() + 11 * 16
    assert int(people.masks[1].max()) == 0
    assert len(read_people(tmp_path).train) + len(read_people(tmp_path).valid) == 2


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    coco(tmp_path)
    with pytest.raises(DataError, match="zebra"):
        list_masked(tmp_path, "zebra")
    with pytest.raises(DataError, match=r"a\.jpg has no mask"):
        list_masked(tmp_path)
    with pytest.raises(DataError, match="holds no pictures"):
        list_masked(tmp_path / "images")


def test_training_stops_early(expressions: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    train("emotion", expressions, tmp_path, epochs=40, progress=events.append, patience=1)
    stopped = [event for event in events if event["event"] == "stopped early"]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert len(stopped) == 1
    assert len(epochs) < 40
    best = max(event["accuracy"] for event in epochs)
    assert epochs[-1]["accuracy"] <= best
