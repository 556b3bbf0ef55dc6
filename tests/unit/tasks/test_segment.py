"""`segment` on drawn people and things."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from sightline.architectures.base import Mask, ObjectFound
from sightline.errors import InvalidOption
from sightline.images import rle
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.images.palette import colour_of
from sightline.images.patch import Window
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.person_masks import PersonMasks
from sightline.tasks.segment import Segment
from tests.fakes.cards import card
from tests.fakes.models import FakeSegmenter, _Fake

Check = Callable[[Answer], dict[str, Any]]

WIDTH, HEIGHT = 240, 180
APPLE, FIRST, SECOND = Box(170, 120, 50, 40), Box(20, 30, 60, 120), Box(60, 40, 60, 120)


class Listed(_Fake):
    """Finds what it was given, where it is sure enough."""

    def __init__(self, *things: ObjectFound) -> None:
        super().__init__(card(name="fake-things", labels=["person", "apple"], thresholds={"score": 0.3, "iou": 0.5}))
        self.things = things

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        least = 0.3 if at_least is None else at_least
        return sorted((one for one in self.things if one.confidence >= least), key=lambda one: -one.confidence)


class Halves(_Fake):
    """Knows a person by the colour at the middle of the box, and everybody else is not that person."""

    def __init__(self) -> None:
        super().__init__(card(name="fake-figures"))

    def figure(self, pixels: Pixels, box: Box, window: Window) -> Mask:
        middle = pixels[int(box.y + box.height / 2), int(box.x + box.width / 2)].astype(int)
        same = np.abs(pixels[window.slices].astype(int) - middle).max(axis=2) < 20
        return np.where(same, 4.0, -4.0).astype(np.float32)


class Kinds(_Fake):
    """Names the pixels: red ones a person, others the sky; twice as coarse as the picture."""

    def __init__(self) -> None:
        super().__init__(card(name="fake-kinds", labels=["sky", "person", "dog"]))

    def classes(self, pixels: Pixels) -> np.ndarray:
        return (pixels[::2, ::2, 0] > 150).astype(np.uint8)

    def mask(self, pixels: Pixels) -> Mask:
        return self.classes(pixels).astype(np.float32)


def photo() -> np.ndarray:
    """A red person, a blue one who stands partly in front of them, and a green apple, on grey."""
    pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    pixels[30:150, 20:80] = (200, 40, 40)
    pixels[40:160, 60:120] = (40, 40, 220)
    pixels[120:160, 170:220] = (40, 180, 40)
    return pixels


def people(*masks: Any) -> tuple[ObjectFound, ...]:
    return (
        ObjectFound("person", 0.9, FIRST),
        ObjectFound("person", 0.8, SECOND),
        ObjectFound("apple", 0.7, APPLE),
    )


@pytest.fixture
def task(quiet: Settings) -> Segment:
    return Segment(FakeSegmenter(np.ones((4, 4), np.float32)), Listed(*people()), Halves(), quiet)


def unpacked(instance: dict[str, Any]) -> np.ndarray:
    mask = instance["mask"]
    if "png" in mask:
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(mask["png"]))).convert("L")) > 127
    return rle.decode(mask["rle"])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))


@pytest.mark.parametrize("form", ["rle", "png"])
def test_each_thing_has_its_own_pixels(task: Segment, checked: Check, form: str) -> None:
    pixels = photo()
    said = checked(task(pixels, mask=form))
    assert [one["label"] for one in said["instances"]] == ["person", "person", "apple"]
    assert [one["outlined_by"] for one in said["instances"]] == ["network", "network", "grabcut"]
    masks = [unpacked(one) for one in said["instances"]]
    assert all(mask.shape == (HEIGHT, WIDTH) for mask in masks)
    assert [one["area_pixels"] for one in said["instances"]] == [int(mask.sum()) for mask in masks]
    assert not (masks[0] & masks[1]).any(), "no pixel belongs to two people"
    assert iou(masks[0], (pixels == (200, 40, 40)).all(axis=2)) > 0.8
    assert iou(masks[1], (pixels == (40, 40, 220)).all(axis=2)) > 0.8
    assert iou(masks[2], (pixels == (40, 180, 40)).all(axis=2)) > 0.8
    if form == "rle":
        theirs = coco.decode({**said["instances"][0]["mask"]["rle"]})
        assert np.array_equal(theirs.astype(bool), masks[0])


def test_who_is_hardly_there_takes_no_pixels(quiet: Settings) -> None:
    sure, ghost = ObjectFound("person", 0.9, FIRST), ObjectFound("person", 0.31, FIRST)
    answer = Segment(FakeSegmenter(np.ones((4, 4), np.float32)), Listed(ghost, sure), Halves(), quiet)(photo())
    alone = Segment(FakeSegmenter(np.ones((4, 4), np.float32)), Listed(sure), Halves(), quiet)(photo())
    assert answer.instances[0].patch.area == alone.instances[0].patch.area
    assert len(answer.instances) == 1, "of the other no pixel was left"


def test_crumbs_are_dropped_and_large_parts_kept() -> None:
    pixels = np.full((200, 100, 3), 60, np.uint8)
    pixels[20:90, 30:70] = pixels[110:180, 30:70] = (200, 40, 40)  # a person behind a rail
    pixels[99, 49:52] = (200, 40, 40)

    class Red(Halves):
        def figure(self, pixels: Pixels, box: Box, window: Window) -> Mask:
            return np.where(pixels[window.slices][..., 0] > 100, 4.0, -12.0).astype(np.float32)

    (patch,) = PersonMasks(Red(), None).outline(pixels, [ObjectFound("person", 1.0, Box(25, 15, 50, 170))])
    mask = patch.full(100, 200)
    assert mask[50, 50]
    assert mask[150, 50]
    assert not mask[99, 50]


def test_only_what_was_asked_for(task: Segment, checked: Check) -> None:
    instances = checked(task(photo(), kind="instance"))
    assert instances["semantic"] is None
    assert len(instances["instances"]) == 3
    semantic = checked(task(photo(), kind="semantic"))
    assert semantic["instances"] == []
    assert semantic["semantic"]["labels"] == [{"label": "person", "value": 1, "coverage": 1.0}]
    assert [one.label for one in task(photo(), most=1).instances] == ["person"]
    assert [one.confidence for one in task(photo(), confidence=0.75).instances] == [0.9, 0.8]
    for wrong in ({"kind": "panoptic"}, {"mask": "svg"}, {"most": 0}, {"confidence": 2}):
        with pytest.raises(InvalidOption):
            task(photo(), **wrong)


def test_the_map_of_kinds_is_a_png_of_values(quiet: Settings, checked: Check) -> None:
    task = Segment(Kinds(), Listed(), None, quiet)
    pixels = photo()
    said = checked(task(pixels))["semantic"]
    image = Image.open(io.BytesIO(base64.b64decode(said["map"]["png"])))
    values = np.asarray(image)
    assert image.mode == "P"
    assert values.shape == (HEIGHT, WIDTH)
    assert set(np.unique(values)) == {0, 1}
    assert iou(values == 1, (pixels == (200, 40, 40)).all(axis=2)) > 0.9
    assert tuple(np.asarray(image.convert("RGB"))[100, 30]) == colour_of(0)
    assert [one["label"] for one in said["labels"]] == ["sky", "person"]
    assert said["labels"][1]["coverage"] == pytest.approx((values == 1).mean(), abs=1e-4)


def test_a_semantic_model_without_people_leaves_them_to_the_other(quiet: Settings) -> None:
    class Land(Kinds):
        def __init__(self) -> None:
            super().__init__()
            self.card = card(name="land", labels=["sky", "sea", "land"])

    by_figure = Segment(Land(), Listed(*people()), Halves(), quiet)(photo())
    assert [one.outlined_by for one in by_figure.instances] == ["network", "network", "grabcut"]
    by_colours = Segment(Land(), Listed(*people()), None, quiet)(photo())
    assert {one.outlined_by for one in by_colours.instances} == {"grabcut"}


def test_a_reduced_picture_is_answered_in_full_pixels(task: Segment, quiet: Settings, checked: Check) -> None:
    large = np.kron(photo(), np.ones((14, 14, 1), np.uint8))
    jpeg = encode(Image.fromarray(large), "JPEG", quality=95)
    question = task.ask({"image": jpeg}, {})
    assert question.image.reduced
    factor = 14 * question.image.pixels.shape[1] / large.shape[1]
    boxes = [
        ObjectFound(
            one.label, one.confidence, Box(*(v * factor for v in (one.box.x, one.box.y, one.box.width, one.box.height)))
        )
        for one in people()
    ]
    seen = Segment(FakeSegmenter(np.ones((4, 4), np.float32)), Listed(*boxes), Halves(), quiet)
    said = checked(seen(jpeg))
    assert said["image"] == {"width": 14 * WIDTH, "height": 14 * HEIGHT}
    assert said["instances"][0]["box"] == Box(20 * 14, 30 * 14, 60 * 14, 120 * 14).to_dict()
    assert iou(unpacked(said["instances"][0]), (large == (200, 40, 40)).all(axis=2)) > 0.8
    assert seen(jpeg).draw(jpeg).size == (14 * WIDTH, 14 * HEIGHT)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2)])
def test_tiny_and_thin_pictures(quiet: Settings, checked: Check, shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)
    things = [ObjectFound(label, 0.9, Box(0, 0, shape[1], shape[0])) for label in ("person", "apple")]
    task = Segment(FakeSegmenter(np.ones((4, 4), np.float32)), Listed(*things), None, quiet)
    answer = task(pixels)
    checked(answer)
    assert answer.draw(pixels).size == shape[::-1]


def test_the_drawing_shows_instances_or_kinds(task: Segment) -> None:
    pixels = photo()
    drawn = np.asarray(task(pixels, kind="instance").draw(pixels)).astype(int)
    assert np.abs(drawn[130, 195] - pixels[130, 195]).max() > 20, "the apple is tinted"
    assert (drawn[5, 5] == pixels[5, 5]).all()
    kinds = np.asarray(task(pixels, kind="semantic").draw(pixels))
    assert not np.array_equal(kinds, pixels)
    nothing = Segment(FakeSegmenter(np.zeros((4, 4), np.float32)), Listed(), None, task.settings)(pixels)
    assert np.array_equal(np.asarray(nothing.draw(pixels)), pixels)


def test_the_same_outline_whoever_else_is_asked_for(task: Segment) -> None:
    picture = Picture.of(photo())
    alone = task.outline(picture, [people()[2]])[0]
    together = task.outline(picture, people())[2]
    assert np.array_equal(alone.patch.inside, together.patch.inside)
