"""`detect` on a detector that sees drawn rectangles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InvalidOption
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.detect import Detect
from tests.fakes.models import FakeObjects


def drawn(width: int, height: int, *things: tuple[int, int, int, int, int]) -> np.ndarray:
    """Rectangles (x, y, width, height, channel) on black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for x, y, wide, high, channel in things:
        pixels[y : y + high, x : x + wide, channel] = 255
    return pixels


TWO = drawn(200, 100, (10, 20, 30, 40, 0), (120, 10, 60, 80, 1))


def test_things_come_with_labels_boxes_and_the_frame(
    quiet: Settings, checked: Callable[[Answer], dict[str, Any]]
) -> None:
    said = checked(Detect(FakeObjects(), quiet)(TWO))
    assert [(thing["label"], thing["confidence"]) for thing in said["objects"]] == [("pear", 0.74), ("apple", 0.56)]
    assert said["objects"][0]["box"] == {"x": 120, "y": 10, "width": 60, "height": 80}
    assert said["image"] == {"width": 200, "height": 100}
    assert said["model"]["name"] == "fake-objects"


def test_nothing_is_an_answer(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    assert checked(Detect(FakeObjects(), quiet)(drawn(50, 50)))["objects"] == []


@pytest.mark.parametrize(("confidence", "count"), [(None, 2), (0.0, 2), (0.6, 1), ("0.75", 0), (1, 0)])
def test_the_doubtful_are_left_out(quiet: Settings, confidence: Any, count: int) -> None:
    assert len(Detect(FakeObjects(), quiet)(TWO, confidence=confidence).objects) == count


def test_a_confidence_below_the_card_s_own_shows_more(quiet: Settings) -> None:
    detector = FakeObjects()
    detector.card.thresholds["score"] = 0.6
    assert len(Detect(detector, quiet)(TWO).objects) == 1
    assert len(Detect(detector, quiet)(TWO, confidence=0.1).objects) == 2


def test_wrong_options_are_refused(quiet: Settings) -> None:
    task = Detect(FakeObjects(), quiet)
    for options in ({"confidence": 2}, {"tiles": "perhaps"}, {"side": 3}):
        with pytest.raises(InvalidOption):
            task(TWO, **options)


def test_a_reduced_jpeg_is_answered_in_full_size_pixels(quiet: Settings) -> None:
    photo = encode(Image.fromarray(drawn(4160, 96, (400, 16, 320, 64, 0))), "JPEG")
    answer = Detect(FakeObjects(), quiet)(photo)
    (thing,) = answer.objects
    assert (answer.frame.width, answer.frame.height) == (4160, 96)
    assert thing.box.corners == pytest.approx((400, 16, 720, 80), abs=6)
    assert answer.draw(photo).size == (4160, 96)


def test_tiles_find_what_is_too_small_for_the_whole(quiet: Settings) -> None:
    # Seen only where it fills a twentieth of what is searched: 30 of 800 pixels are too few, 30 of 200 are not.
    task = Detect(FakeObjects(smallest=0.05), quiet)
    photo = drawn(800, 600, (500, 300, 30, 30, 0), (100, 100, 240, 300, 1))
    assert [thing.label for thing in task(photo).objects] == ["pear"]
    both = task(photo, tiles=True).objects
    assert sorted(thing.label for thing in both) == ["apple", "pear"], "and what is large is still one thing"
    assert {thing.label: thing.box for thing in both}["apple"] == Box(500, 300, 30, 30)
    assert {thing.label: thing.box for thing in both}["pear"] == Box(100, 100, 240, 300)


def test_a_thing_cut_by_a_tile_is_not_answered_in_parts(quiet: Settings) -> None:
    photo = drawn(800, 200, (0, 90, 800, 12, 0))
    assert [thing.box for thing in Detect(FakeObjects(), quiet)(photo, tiles=True).objects] == [Box(0, 90, 800, 12)]


def test_a_small_picture_has_no_tiles(quiet: Settings) -> None:
    task = Detect(FakeObjects(side=320), quiet)
    assert task(TWO, tiles=True).objects == task(TWO).objects


def test_the_drawing_shows_each_thing_and_a_colour_a_label(quiet: Settings) -> None:
    answer = Detect(FakeObjects(), quiet)(TWO)
    image = np.asarray(answer.draw(TWO)).astype(int)
    colours = []
    for thing in answer.objects:
        left, top, right, bottom = (round(value) for value in thing.box.corners)
        colours.append(tuple(image[(top + bottom) // 2, left]))
        assert tuple(image[bottom, (left + right) // 2]) == colours[-1]
    assert len(set(colours)) == 2
