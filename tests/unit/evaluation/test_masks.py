"""Dice and IoU on masks whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InvalidOption
from sightline.evaluation.masks import evaluate, pairs
from sightline.evaluation.split import held_out
from sightline.images.decode import read


class Bright:
    """A task that marks the bright half of a picture."""

    name = "background"

    def __call__(self, path: Path) -> Any:
        return SimpleNamespace(mask=(read(path).pixels.max(axis=2) > 127).astype(np.uint8) * 255)


bright: Any = Bright()


def write(data: Path, name: str, picture: np.ndarray, mask: np.ndarray, suffix: str = ".png") -> None:
    for folder, pixels, end in (("images", picture, ".png"), ("masks", mask, suffix)):
        (data / folder).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(data / folder / (name + end))


def columns(count: int, of: int = 10) -> np.ndarray:
    pixels = np.zeros((4, of), np.uint8)
    pixels[:, :count] = 255
    return pixels


def test_known_overlaps(tmp_path: Path) -> None:
    write(tmp_path, "same", columns(5), columns(5))
    write(tmp_path, "part", columns(6), columns(3), ".bmp")
    write(tmp_path, "none", columns(0), columns(5))
    write(tmp_path, "empty", columns(0), columns(0))
    got = evaluate(bright, tmp_path, 2)
    assert got["dice"] == pytest.approx(np.mean([1, 2 * 3 / 9, 0, 1]), abs=1e-4)
    assert got["iou"] == pytest.approx(np.mean([1, 3 / 6, 0, 1]), abs=1e-4)
    assert got["n"] == 4
    assert got["skipped"] == {"count": 0, "why": {}}


def test_a_soft_mask_is_judged_at_its_middle(tmp_path: Path) -> None:
    write(tmp_path, "soft", columns(5), np.where(columns(5) > 0, 128, 127).astype(np.uint8))
    assert evaluate(bright, tmp_path, 1)["dice"] == 1


def test_what_cannot_be_judged_is_counted(tmp_path: Path) -> None:
    write(tmp_path, "good", columns(5), columns(5))
    write(tmp_path, "broken", columns(5), columns(5))
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    write(tmp_path, "masked", columns(5), columns(5))
    (tmp_path / "masks" / "masked.png").write_bytes(b"no picture either")
    write(tmp_path, "size", columns(5), columns(5, of=11))
    got = evaluate(bright, tmp_path, 1)
    assert (got["n"], got["dice"], got["skipped"]["count"]) == (1, 1, 3)
    why = got["skipped"]["why"]
    assert why["broken.png"] == "unsupported_format"
    assert "cannot be read" in why["masked.png"]
    assert "size" in why["size.png"]


def test_folders_that_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="not a folder"):
        evaluate(bright, tmp_path, 1)
    write(tmp_path, "one", columns(5), columns(5))
    write(tmp_path, "two", columns(5), columns(5))
    assert [path.name for path in pairs(tmp_path)] == ["one.png", "two.png"]
    (tmp_path / "masks" / "two.png").unlink()
    with pytest.raises(InvalidOption, match=r"1 of 2 pictures have no mask \['two.png'\]"):
        evaluate(bright, tmp_path, 1)
    (tmp_path / "images" / "two.png").unlink()
    (tmp_path / "images" / "one.png").write_bytes(b"")
    with pytest.raises(InvalidOption, match="could be judged"):
        evaluate(bright, tmp_path, 1)
    (tmp_path / "images" / "one.png").unlink()
    with pytest.raises(InvalidOption, match="0 of 0"):
        evaluate(bright, tmp_path, 1)


def test_a_part_that_training_leaves_out_and_the_sources(tmp_path: Path) -> None:
    names = [f"{source}_{number:02d}" for source in ("MCUCXR", "CHNCXR") for number in range(20)]
    for name in names:
        write(tmp_path, name, columns(6), columns(6 if name[0] == "M" else 3))
    everything = evaluate(bright, tmp_path, 2)
    assert everything["n"] == 40
    assert everything["by_source"]["MCUCXR"] | {"dice": 1, "n": 20} == everything["by_source"]["MCUCXR"]
    assert everything["by_source"]["CHNCXR"]["iou"] == 0.5
    parts = [set(np.array(names)[held_out(names, 5, part)]) for part in range(5)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert evaluate(bright, tmp_path, 2, held_out=5)["n"] == len(parts[0])


def test_one_source_needs_no_table(tmp_path: Path) -> None:
    write(tmp_path, "film_1", columns(5), columns(5))
    write(tmp_path, "film_2", columns(5), columns(5))
    assert "by_source" not in evaluate(bright, tmp_path, 1)


def test_people_of_a_coco_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(columns(5)).save(tmp_path / "images" / name)
    # The columns 0 to 4 of a 4 x 10 picture; run lengths go down the columns.
    person = {"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 10], "counts": [0, 20, 20]}}
    dog = {"image_id": 2, "category_id": 18, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}
    images = [
        {"id": number, "file_name": name, "height": 4, "width": 10} for number, name in ((1, "a.png"), (2, "b.png"))
    ]
    kinds = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    file = tmp_path / "instances.json"
    file.write_text(json.dumps({"images": images, "annotations": [person, dog], "categories": kinds}))
    got = evaluate(bright, tmp_path, 1)
    assert (got["n"], got["iou"]) == (1, 1)  # the picture of a dog shows nobody, so it is not judged
    file.write_text(json.dumps({"images": images, "annotations": [], "categories": kinds[1:]}))
    with pytest.raises(InvalidOption, match="person"):
        evaluate(bright, tmp_path, 1)
    file.write_text("[]")
    with pytest.raises(InvalidOption, match="COCO"):
        evaluate(bright, tmp_path, 1)
