"""Drawings lie inside the picture, at its full size, and change nothing but the drawing."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.images.decode import decode
from sightline.images.draw import PALETTE, Sketch, canvas
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.images.palette import colour_of
from sightline.images.patch import Patch
from sightline.images.picture import Picture

GREY = np.full((240, 320, 3), 128, np.uint8)


def changed(sketch: Sketch, before: npt.NDArray[np.uint8] = GREY) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what was drawn."""
    where = np.argwhere((np.asarray(sketch.image) != before).any(axis=2))
    (top, left), (bottom, right) = where.min(axis=0), where.max(axis=0) + 1
    return int(left), int(top), int(right), int(bottom)


def size_of_tag(text: str) -> tuple[int, int]:
    sketch = Sketch(GREY)
    sketch.label(text, 100, 120)
    left, top, right, bottom = changed(sketch)
    return right - left, bottom - top


@settings(deadline=None, max_examples=80)
@given(st.floats(-400, 800), st.floats(-400, 800))
def test_a_label_lies_inside_wherever_it_is_asked_for(x: float, y: float) -> None:
    width, height = size_of_tag("happy 97%")
    sketch = Sketch(GREY)
    sketch.label("happy 97%", x, y)
    left, top, right, bottom = changed(sketch)
    # A pixel either way: the tag may begin between two pixels.
    assert abs(right - left - width) <= 1
    assert abs(bottom - top - height) <= 1


def test_a_label_stands_on_its_box_where_there_is_room() -> None:
    sketch = Sketch(GREY)
    sketch.label("face", 100, 120)
    left, _top, _right, bottom = changed(sketch)
    assert left == 100
    assert bottom in (120, 121)
    sketch = Sketch(GREY)
    sketch.label("face", 100, 4)
    assert changed(sketch)[1] == 4, "no room above: inside the box"


def test_a_label_wider_than_the_picture_begins_at_its_left() -> None:
    sketch = Sketch(np.full((40, 50, 3), 128, np.uint8))
    sketch.label("a very long label that fits nowhere", 30, 30)
    assert sketch.image.size == (50, 40)
    assert changed(sketch, np.full((40, 50, 3), 128, np.uint8))[0] == 0


def test_a_box_is_outlined_where_it_is() -> None:
    sketch = Sketch(GREY)
    sketch.box(Box(50, 60, 100, 80), colour=PALETTE[3])
    drawn = np.asarray(sketch.image)
    assert drawn[100, 51].tolist() == list(PALETTE[3])
    assert drawn[100, 100].tolist() == [128, 128, 128], "the inside stays"
    left, top, right, bottom = changed(sketch)
    assert 46 <= left <= 50
    assert 56 <= top <= 60
    assert 150 <= right <= 155
    assert 140 <= bottom <= 145


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0), Box(319, 239, 1, 1), Box(-50, -50, 20, 20), Box(10, 10, 0.2, 200)])
def test_boxes_of_any_kind_are_drawn_without_an_error(box: Box) -> None:
    sketch = Sketch(GREY)
    sketch.box(box, "99%")
    assert sketch.image.size == (320, 240)


def test_a_reduced_picture_is_drawn_at_its_full_size() -> None:
    reduced = decode(encode(Image.fromarray(np.full((400, 640, 3), 90, np.uint8)), "JPEG"), enough=100)
    assert reduced.reduced
    assert canvas(reduced).shape == (400, 640, 3)
    sketch = Sketch(reduced)
    sketch.box(Box(320, 200, 300, 180))
    assert sketch.image.size == (640, 400)
    left, top, right, bottom = changed(sketch, np.full((400, 640, 3), 90, np.uint8))
    assert 310 <= left <= 320
    assert 190 <= top <= 200
    assert 620 <= right <= 640
    assert 380 <= bottom <= 400


def test_drawing_leaves_the_picture_as_it_was() -> None:
    pixels = GREY.copy()
    picture = Picture.of(pixels)
    for source in (pixels, picture, Image.fromarray(pixels)):
        sketch = Sketch(source)
        sketch.box(Box(5, 5, 100, 100), "face")
        sketch.point(50, 50)
        sketch.mask(np.full((240, 320), 255, np.uint8))
    assert (pixels == 128).all()
    assert (picture.pixels == 128).all()


def test_a_mask_tints_what_it_covers() -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[60:120, 80:200] = 255
    sketch = Sketch(GREY)
    sketch.mask(mask, (255, 0, 0), 0.5)
    drawn = np.asarray(sketch.image).astype(int)
    assert np.abs(drawn[90, 140] - [191, 64, 64]).max() <= 2
    assert drawn[60, 140].tolist() == [255, 0, 0], "its border is lined"
    assert drawn[30, 30].tolist() == [128, 128, 128]
    empty = Sketch(GREY)
    empty.mask(np.zeros((240, 320), np.uint8))
    assert np.array_equal(np.asarray(empty.image), GREY)


def test_lines_and_letters_grow_with_the_picture() -> None:
    small, large = Sketch(GREY), Sketch(np.zeros((2160, 3840, 3), np.uint8))
    assert large.line >= 4 * small.line
    assert large.letter >= 4 * small.letter


def rectangles(sketch: Sketch) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of the labels, once they have their places."""
    _ = sketch.image
    return list(sketch._taken)


def overlapping(tags: list[tuple[float, float, float, float]]) -> int:
    pairs = itertools.combinations(tags, 2)
    return sum(min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1]) for a, b in pairs)


def test_labels_keep_clear_of_each_other() -> None:
    sketch = Sketch(np.full((480, 640, 3), 128, np.uint8))
    for step in range(5):
        sketch.box(Box(100 + 12 * step, 100 + 9 * step, 200, 220), f"person {90 - step}%", PALETTE[step])
    tags = rectangles(sketch)
    assert len(tags) == 5
    assert overlapping(tags) == 0
    assert tags[0][:2] == pytest.approx((148, 136 - (tags[0][3] - tags[0][1]))), "the last one has its own place"


def test_labels_at_one_place_stand_below_each_other() -> None:
    sketch = Sketch(GREY)
    for _ in range(4):
        sketch.label("happy", 100, 120)
    assert overlapping(rectangles(sketch)) == 0


def test_more_labels_than_there_is_room_for_are_all_drawn() -> None:
    sketch = Sketch(np.full((60, 80, 3), 128, np.uint8))
    for _ in range(20):
        sketch.box(Box(10, 10, 50, 40), "person 99%")
    tags = rectangles(sketch)
    assert len(tags) == 20
    assert all(left >= 0 and top >= 0 for left, top, _, _ in tags)


def test_labels_lie_on_top_and_are_drawn_once() -> None:
    sketch = Sketch(GREY)
    sketch.label("face", 100, 120, PALETTE[3])
    sketch.mask(np.full((240, 320), 255, np.uint8), (255, 255, 255), 1.0)
    first = np.array(sketch.image)
    assert (first == PALETTE[3]).all(axis=2).any(), "not under the mask, which came later"
    assert np.array_equal(np.asarray(sketch.image), first)


@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_letters_take_the_same_share_of_any_picture(width: int) -> None:
    height = width * 2 // 3
    sketch = Sketch(np.full((height, width, 3), 128, np.uint8))
    sketch.label_at(Box(width / 4, height / 4, width / 2, height / 2), "person 90%")
    ((_, top, _, bottom),) = rectangles(sketch)
    assert 0.025 < (bottom - top) / height < 0.09


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_a_patch_shows_on_any_ground(ground: int) -> None:
    pixels = np.full((240, 320, 3), ground, np.uint8)
    sketch = Sketch(pixels)
    sketch.patch(Patch(100, 60, np.ones((90, 110), np.bool_)), PALETTE[0])
    drawn = np.asarray(sketch.image).astype(int)
    assert np.abs(drawn[105, 155] - ground).max() > 40, "tinted"
    assert drawn[105, 100].tolist() == list(PALETTE[0]), "lined"
    row = drawn[105, 90:110]
    assert np.abs(np.diff(row, axis=0)).sum(axis=1).max() > 100, "and set off from the ground"
    assert (drawn[:, :90] == ground).all()


def test_patches_at_the_border_and_empty_ones() -> None:
    sketch = Sketch(GREY)
    sketch.patch(Patch(0, 0, np.ones((240, 320), np.bool_)))
    sketch.patch(Patch(318, 238, np.ones((2, 2), np.bool_)))
    sketch.patch(Patch(50, 50, np.zeros((9, 9), np.bool_)))
    assert sketch.image.size == (320, 240)


def test_a_legend_stands_in_the_corner_and_leaves_out_what_does_not_fit() -> None:
    sketch = Sketch(GREY)
    sketch.legend([(f"kind {number}", PALETTE[number % 7]) for number in range(40)])
    tags = rectangles(sketch)
    assert 5 < len(tags) < 20
    assert overlapping(tags) == 0
    assert all(right < 160 and bottom <= 240 for _, _, right, bottom in tags)


def test_twenty_one_colours_before_one_comes_again() -> None:
    colours = [colour_of(index) for index in range(21)]
    assert len(set(colours)) == 21
    assert colour_of(21) == colour_of(0) == PALETTE[0]
    assert all(0 <= value <= 255 for colour in colours for value in colour)
