"""COCO's figures of `detect`, on drawn pictures whose answers are known, and on real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.errors import InvalidOption
from sightline.evaluation.coco_figures import coco_figures, read_truth
from sightline.evaluation.detect import evaluate
from sightline.settings import Settings
from sightline.tasks.detect import Detect
from tests.fakes.models import FakeObjects

pytest.importorskip("pycocotools", reason="pycocotools is not installed: pip install 'sightline[coco]'")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pictures with an apple and a pear each, and one without; what is drawn is what is labelled."""
    (tmp_path / "images").mkdir()
    pictures, notes = [], []
    for number in range(5):
        pixels = np.zeros((96, 128, 3), np.uint8)
        for kind, (x, y, w, h) in enumerate([(8, 8, 24 + number, 40), (64, 16, 32, 48 + number)]):
            if number == 4:
                break
            pixels[y : y + h, x : x + w, kind] = 255
            note = {"id": len(notes) + 1, "image_id": number, "category_id": kind + 5, "bbox": [x, y, w, h]}
            notes.append({**note, "area": w * h, "iscrowd": 0})
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
        pictures.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
    kinds = [{"id": 5, "name": "apple"}, {"id": 6, "name": "pear"}, {"id": 7, "name": "plum"}]
    write(tmp_path, {"images": pictures, "annotations": notes, "categories": kinds})
    return tmp_path


def write(folder: Path, dataset: dict[str, Any]) -> None:
    (folder / "instances.json").write_text(json.dumps(dataset))


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "instances.json").read_text()))


def test_a_perfect_detector(data: Path) -> None:
    found = evaluate(Detect(FakeObjects(), Settings()), data, workers=2)
    assert {found[name] for name in ("ap", "ap50", "ap75", "ar")} == {1.0}
    assert found["ap_interval"] == [1.0, 1.0]
    assert found["by_label"] == {"apple": 1.0, "pear": 1.0}
    assert (found["n"], found["pictures"], found["kinds"]) == (8, 5, "2/2")
    assert found["skipped"] == {"count": 0, "why": {}}


def test_what_is_missed_and_what_is_no_match_counts(data: Path) -> None:
    dataset = read(data)
    dataset["annotations"][0]["bbox"] = [70, 60, 20, 20]  # the first apple lies elsewhere: one missed, one wrong
    dataset["annotations"].append(
        {"id": 99, "image_id": 4, "category_id": 7, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    )
    write(data, dataset)
    found = evaluate(Detect(FakeObjects(), Settings()), data, workers=1)
    assert found["by_label"]["pear"] == 1.0
    assert 0.2 < found["by_label"]["apple"] < 0.9
    assert found["by_label"]["plum"] == 0.0, "a kind that the model does not know is missed"
    assert found["ap"] == pytest.approx(np.mean(list(found["by_label"].values())), abs=1e-3)
    assert found["ap_interval"][0] < found["ap"] < found["ap_interval"][1]
    assert found["kinds"] == "2/3"


def test_boxes_that_are_off_count_at_lower_overlaps_only(data: Path) -> None:
    dataset = read(data)
    for note in dataset["annotations"]:
        note["bbox"][2] *= 1.5  # an overlap of two thirds
    write(data, dataset)
    found = evaluate(Detect(FakeObjects(), Settings()), data, workers=1)
    assert found["ap50"] == 1.0
    assert found["ap75"] == 0.0
    assert found["ap"] == pytest.approx(0.4)


def test_nothing_found(data: Path) -> None:
    detector = FakeObjects(smallest=2)
    found = evaluate(Detect(detector, Settings()), data, workers=1)
    assert (found["ap"], found["ar"], found["n"]) == (0.0, 0.0, 8)


def test_a_picture_that_cannot_be_read_is_left_out_and_said(data: Path) -> None:
    (data / "images" / "0.png").write_bytes(b"no picture")
    found = evaluate(Detect(FakeObjects(), Settings()), data, workers=1)
    assert found["skipped"] == {"count": 1, "why": {"0.png": "unsupported_format"}}
    assert (found["n"], found["pictures"], found["ap"]) == (6, 4, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("images"),
        lambda d: d.pop("categories"),
        lambda d: d["annotations"][0].pop("bbox"),
        lambda d: d["annotations"][0].update(bbox=[1, 2]),
        lambda d: d["annotations"][0].update(image_id=77),
        lambda d: d["annotations"][0].update(category_id=77),
        lambda d: d["images"][0].update(file_name="elsewhere.png"),
        lambda d: d.update(annotations={"a": 1}),
    ],
)
def test_data_that_is_not_coco_s(data: Path, change: Any) -> None:
    dataset = read(data)
    change(dataset)
    write(data, dataset)
    with pytest.raises(InvalidOption, match=r"instances\.json"):
        read_truth(data)


def test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption):
        read_truth(tmp_path / "nowhere")
    with pytest.raises(InvalidOption, match=r"instances\.json"):
        read_truth(tmp_path)
    (tmp_path / "instances.json").write_text("[")
    with pytest.raises(InvalidOption, match="not COCO's"):
        read_truth(tmp_path)


def test_masks_and_keypoints_are_judged_too(data: Path, shared: Path) -> None:
    """The labels of real pictures given as answers: nothing is missed."""
    pycocotools = pytest.importorskip("pycocotools.coco")
    folder = shared / "coco_mini"
    for name, kind, member in (
        ("instances.json", "segm", "segmentation"),
        ("person_keypoints.json", "keypoints", "keypoints"),
    ):
        truth = read_truth(folder, name)
        notes = [note for note in truth.dataset["annotations"] if not note["iscrowd"]]
        coco = pycocotools.COCO()
        coco.dataset = dict(truth.dataset)
        coco.createIndex()
        given = [
            {
                "image_id": note["image_id"],
                "category_id": note["category_id"],
                "score": 1.0,
                member: coco.annToRLE(note) if kind == "segm" else note["keypoints"],
            }
            for note in notes
            if kind == "segm" or note["num_keypoints"]
        ]
        pictures = sorted({entry["image_id"] for entry in given})[:4]
        given = [entry for entry in given if entry["image_id"] in pictures]
        found = coco_figures(truth, given, kind, pictures)
        assert found["ap"] > 0.95, kind
        assert found["ap_interval"][1] >= found["ap"] - 1e-6


@pytest.mark.models
def test_the_default_on_real_pictures(shared: Path, tmp_path: Path) -> None:
    """A few pictures only: that the command's figures are those of a detector that works."""
    folder = shared / "coco_mini"
    dataset = json.loads((folder / "instances.json").read_text())
    dataset["images"] = dataset["images"][:6]
    kept = {entry["id"] for entry in dataset["images"]}
    dataset["annotations"] = [note for note in dataset["annotations"] if note["image_id"] in kept]
    (tmp_path / "images").mkdir()
    for entry in dataset["images"]:
        shutil.copy(folder / "images" / entry["file_name"], tmp_path / "images")
    write(tmp_path, dataset)
    found = evaluate(sightline.load("detect", model="centernet"), tmp_path, workers=2)
    assert found["pictures"] == 6
    assert found["kinds"].split("/")[0] == found["kinds"].split("/")[1]
    assert found["ap50"] > 0.3
    assert found["ap_interval"][0] < found["ap"] < found["ap50"]
