"""`classify` on a network that was told what to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sightline
from sightline.architectures.classifier import Classifier
from sightline.errors import InvalidCard, InvalidOption, UnknownModel
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.classify import Classify
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

PHOTO = np.random.default_rng(4).integers(0, 256, (100, 160, 3)).astype(np.uint8)
LABELS = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu"]
ROW = [0.05, 0.4, 0.1, 0.3, 0.02, 0.08, 0.05]


def task(quiet: Settings, *, distance: float | None = None, **members: Any) -> Classify:
    outputs = [np.float32([ROW])] + ([] if distance is None else [np.float32([distance])])
    made = card(**{"labels": LABELS, "options": {"output": "probabilities"}, **members})
    return Classify(Classifier(made, FakeEngine(lambda batch: tuple(outputs))), quiet)


def test_the_likeliest_come_first(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    said = checked(task(quiet)(PHOTO))
    assert [label["name"] for label in said["labels"]] == ["bee", "dog", "cow", "fox", "ant"]
    assert said["labels"][0]["confidence"] == pytest.approx(0.4)
    assert said["none_of_these"] is None
    assert said["image"] == {"width": 160, "height": 100}


def test_how_many_and_how_certain(quiet: Settings) -> None:
    made = task(quiet)
    assert len(made(PHOTO, top=2).labels) == 2
    assert len(made(PHOTO, top="1000").labels) == 7
    assert [label.name for label in made(PHOTO, confidence=0.1).labels] == ["bee", "dog", "cow"]
    assert made(PHOTO, confidence=0.9).labels == ()
    limited = task(quiet, thresholds={"score": 0.35})
    assert [label.name for label in limited(PHOTO).labels] == ["bee"]
    assert len(limited(PHOTO, confidence=0).labels) == 5
    for wrong in ({"top": 0}, {"top": 1.5}, {"confidence": -1}):
        with pytest.raises(InvalidOption):
            made(PHOTO, **wrong)


def test_a_picture_beyond_the_limit_has_no_label(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    near = checked(task(quiet, distance=0.3, thresholds={"distance": 0.5})(PHOTO))
    assert near["none_of_these"] is False
    assert near["labels"]
    far = checked(task(quiet, distance=0.6, thresholds={"distance": 0.5})(PHOTO))
    assert (far["none_of_these"], far["labels"]) == (True, [])
    with pytest.raises(InvalidCard, match="distance"):
        task(quiet, distance=0.6)(PHOTO)


def test_the_drawing_has_a_tag_a_label(quiet: Settings) -> None:
    blank = np.zeros((300, 400, 3), np.uint8)
    one, five = (np.asarray(task(quiet)(blank, top=count).draw(blank)) for count in (1, 5))
    assert one.shape == blank.shape
    assert 0 < (one.any(axis=2)).sum() < (five.any(axis=2)).sum()
    none = task(quiet, distance=1.0, thresholds={"distance": 0.5})(blank).draw(blank)
    assert np.asarray(none).any()
    tiny = np.zeros((4, 4, 3), np.uint8)
    assert task(quiet)(tiny).draw(tiny).size == (4, 4)


def test_a_folder_that_is_no_model(quiet: Settings) -> None:
    with pytest.raises(UnknownModel, match=r"no folder with a card\.toml"):
        sightline.load("classify", model="./nothing-here", settings=quiet)
    with pytest.raises(InvalidOption, match="does not serve classify"):
        sightline.load("classify", model="centernet-features", settings=quiet)


@pytest.mark.models
def test_the_default_sees_the_astronaut_and_the_cup(portrait: np.ndarray, no_people_jpeg: Any) -> None:
    made = sightline.load("classify")
    assert made(portrait).labels[0].name == "person"
    cup = made(no_people_jpeg)
    assert "cup" in [label.name for label in cup.labels[:2]]
    assert cup.none_of_these is None
    assert cup.models[0].name == "centernet-tags"
    assert cup.models[0].sha256 == Store(Settings()).card("centernet-tags").files[0].sha256
