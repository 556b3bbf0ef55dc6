"""Figures on class folders whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.architectures.classifier import Classifier
from sightline.engines.base import Array
from sightline.errors import InvalidOption
from sightline.evaluation.classify import evaluate, wilson
from sightline.settings import Settings
from sightline.tasks.classify import Classify
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

LABELS = ["red", "green", "light-blue", "d", "e", "f"]


def by_colour(batch: Array) -> tuple[Array, Array]:
    """The channel decides: red, green, blue; the other labels share what is left, and grey is far from all."""
    mean = batch.mean(axis=(0, 1, 2))
    row = np.float32([*mean, 30, 20, 10])
    return (row / row.sum())[None], np.float32([1.0 if np.ptp(mean) < 20 else 0.0])


@pytest.fixture
def task(tmp_path: Path) -> Classify:
    options = {"output": "probabilities", "ids": ["n01", "n02", "n03"]}
    made = card(labels=LABELS, options=options, thresholds={"distance": 0.5})
    return Classify(Classifier(made, FakeEngine(by_colour)), Settings(cache=tmp_path, offline=True))


def write(folder: Path, *colours: tuple[int, int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, colour in enumerate(colours):
        Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(folder / f"{index}.png")


def test_the_first_and_the_first_five(task: Classify, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "Red", (200, 9, 9), (200, 90, 9), (90, 200, 9), (100, 100, 100))
    write(data / "light_blue", (9, 9, 200), (200, 90, 0))  # of the second, blue is the last
    (data / "Red" / "broken.png").write_bytes(b"")
    got = evaluate(task, data, 2)
    assert (got["n"], got["labels"]) == (6, 6)
    assert got["top1"] == pytest.approx(3 / 6)
    assert got["top5"] == pytest.approx(4 / 6, abs=1e-5)
    assert got["rejected"] == pytest.approx(1 / 6, abs=1e-5)
    assert got["top1_unrejected"] == pytest.approx(4 / 6, abs=1e-5)
    assert got["recall"] == {"red": 0.5, "light-blue": 0.5}
    assert got["skipped"] == {"count": 1, "why": {"Red/broken.png": "invalid_image"}}
    low, high = got["top1_interval"]
    assert low < 0.5 < high


def test_pictures_of_none_of_the_labels(task: Classify, tmp_path: Path) -> None:
    write(tmp_path / "n02", (9, 200, 9))
    write(tmp_path / "none_of_these", (80, 80, 80), (90, 90, 90), (200, 9, 9))
    write(tmp_path / "zebra", (9, 9, 9))
    got = evaluate(task, tmp_path, 1)
    assert (got["n"], got["top1"], got["n_none"]) == (1, 1, 3)
    assert got["none_found"] == pytest.approx(2 / 3, abs=1e-5)
    assert got["skipped"] == {"count": 1, "why": {"zebra/0.png": "no label is called zebra"}}


def test_folders_that_cannot_be_judged(task: Classify, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="not a folder"):
        evaluate(task, tmp_path / "absent", 1)
    write(tmp_path / "zebra", (9, 9, 9))
    with pytest.raises(InvalidOption, match="named like labels"):
        evaluate(task, tmp_path, 1)
    (tmp_path / "red").mkdir()
    (tmp_path / "red" / "0.png").write_bytes(b"")
    with pytest.raises(InvalidOption, match="could be judged"):
        evaluate(task, tmp_path, 1)


def test_wilson_s_interval() -> None:
    """The values of Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)
