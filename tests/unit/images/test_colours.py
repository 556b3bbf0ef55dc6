"""Dominant colours of pictures that are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor

import sightline
from sightline.errors import InvalidOption
from sightline.images.colour_names import SIMPLE, names_of, to_lab, to_rgb
from sightline.images.colours import Colour, dominant, image_properties
from sightline.images.decode import read

RED, BLUE, GOLD, WHITE = (200, 30, 30), (20, 40, 180), (255, 215, 0), (255, 255, 255)


def painted(*parts: tuple[tuple[int, int, int], float], height: int = 300, width: int = 400) -> np.ndarray:
    """Bands of these colours, each with its share of the width."""
    pixels = np.zeros((height, width, 3), np.uint8)
    left = 0.0
    for colour, share in parts:
        pixels[:, round(left * width) : round((left + share) * width)] = colour
        left += share
    return pixels


def near(colour: Colour, rgb: tuple[int, int, int], within: int = 6) -> bool:
    return all(abs(a - b) <= within for a, b in zip((colour.red, colour.green, colour.blue), rgb, strict=True))


# -- names


def test_every_css_colour_has_its_own_name_and_one_of_twelve_simple_ones() -> None:
    assert len(SIMPLE) == 12
    names = [name for group in SIMPLE.values() for name in group.split()]
    assert len(names) == len(set(names)) == 138
    for simple, group in SIMPLE.items():
        for name in group.split():
            assert names_of(np.array(ImageColor.getrgb(name), np.uint8)) == (name, simple)


def test_no_colour_of_css_is_missing() -> None:
    every = {ImageColor.getrgb(name) for name in ImageColor.colormap if name != "rebeccapurple"}  # CSS 4
    assert {ImageColor.getrgb(name) for group in SIMPLE.values() for name in group.split()} == every


@pytest.mark.parametrize(
    ("rgb", "css", "simple"),
    [
        ((0, 0, 0), "black", "black"),
        ((47, 79, 79), "darkslategrey", "grey"),  # as the service's published answers name it
        ((128, 128, 128), "gray", "grey"),
        ((105, 105, 105), "dimgrey", "grey"),
        ((85, 107, 47), "darkolivegreen", "green"),
        ((254, 2, 3), "red", "red"),
        ((0, 250, 250), "cyan", "cyan"),
        ((250, 0, 250), "magenta", "purple"),
        ((255, 250, 252), "snow", "white"),
    ],
)
def test_names(rgb: tuple[int, int, int], css: str, simple: str) -> None:
    assert names_of(np.array(rgb, np.uint8)) == (css, simple)


def test_lab_and_back() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3), np.uint8)
    assert np.abs(to_rgb(to_lab(colours)).astype(int) - colours).max() <= 1


# -- dominant colours


def test_bands_come_back_with_their_shares_largest_first() -> None:
    found = image_properties(painted((RED, 0.5), (BLUE, 0.3), (GOLD, 0.2))).whole.colours
    assert [near(colour, rgb) for colour, rgb in zip(found, (RED, BLUE, GOLD), strict=False)] == [True] * 3
    assert [colour.share for colour in found[:3]] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    assert sum(colour.share for colour in found) <= 1 + 1e-6
    assert [(colour.css, colour.simple) for colour in found[:3]] == [
        ("firebrick", "red"),
        ("darkblue", "blue"),
        ("gold", "yellow"),
    ]
    assert found[2].hex == "#ffd700"


def test_one_colour_is_one_colour() -> None:
    (only,) = image_properties(painted((GOLD, 1.0))).whole.colours
    assert only == Colour(255, 215, 0, "gold", "yellow", 1.0)


def test_shades_that_look_alike_are_one_and_specks_are_none() -> None:
    pixels = painted((RED, 0.5), ((204, 33, 33), 0.5))
    assert len(image_properties(pixels).whole.colours) == 1
    pixels[:4, :4] = BLUE
    assert len(image_properties(pixels).whole.colours) == 1


@pytest.mark.parametrize("most", [0, 1, 3, 20])
def test_no_more_than_asked_for(most: int) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (8, 8, 3), np.uint8)
    large = cv2.resize(pixels, (128, 128), interpolation=cv2.INTER_NEAREST)
    assert len(image_properties(large, most=most).whole.colours) == most


@pytest.mark.parametrize("most", [-1, 21])
def test_more_than_twenty_cannot_be_asked_for(most: int) -> None:
    with pytest.raises(InvalidOption, match="20"):
        image_properties(painted((RED, 1)), most=most)


def test_the_same_picture_has_the_same_colours_whatever_runs_beside() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (200, 300, 3), np.uint8)
    first = image_properties(pixels)
    cv2.setRNGSeed(99)
    np.random.default_rng(0).random()
    assert image_properties(pixels) == first


def test_pixels_without_weight_have_no_colours() -> None:
    lab = to_lab(np.array([RED, BLUE], np.uint8))
    assert dominant(lab, np.zeros(2, np.float32)) == ()
    assert dominant(lab[:0]) == ()
    (blue,) = dominant(lab, np.array([0, 1], np.float32))
    assert near(blue, BLUE, 1)
    assert blue.share == 1


# -- regions


def test_foreground_and_background_have_their_own_colours_and_looks() -> None:
    pixels = painted((WHITE, 0.25), (BLUE, 0.75))
    mask = np.zeros((30, 40), np.float32)  # smaller than the picture
    mask[:, :10] = 1
    found = image_properties(pixels, mask)
    assert found.foreground is not None
    assert found.background is not None
    assert near(found.foreground.colours[0], WHITE)
    assert found.foreground.colours[0].share > 0.95
    assert near(found.background.colours[0], BLUE)
    assert found.background.colours[0].share > 0.95
    assert found.foreground.look.brightness > 95 > 40 > found.background.look.brightness
    assert found.whole == image_properties(pixels).whole


def test_sharpness_is_that_of_the_region(portrait: np.ndarray) -> None:
    pixels = portrait.copy()
    pixels[:, 256:] = cv2.GaussianBlur(pixels, (0, 0), 5)[:, 256:]
    mask = np.zeros((512, 512), np.float32)
    mask[:, :256] = 1
    found = image_properties(pixels, mask)
    assert found.foreground is not None
    assert found.background is not None
    assert found.foreground.look.sharpness > found.background.look.sharpness + 40


def test_without_a_mask_nobody_knows_what_is_in_front() -> None:
    found = image_properties(painted((RED, 1)))
    assert (found.foreground, found.background) == (None, None)


@pytest.mark.parametrize(("value", "has_foreground"), [(0.0, False), (1.0, True)])
def test_a_region_of_nothing_is_none(value: float, has_foreground: bool) -> None:
    found = image_properties(painted((RED, 1)), np.full((20, 20), value, np.float32))
    assert (found.foreground is not None, found.background is not None) == (has_foreground, not has_foreground)


@pytest.mark.parametrize("mask", [np.zeros((4, 4, 1), np.float32), np.zeros((0, 4), np.float32)])
def test_a_mask_has_height_and_width(mask: np.ndarray) -> None:
    with pytest.raises(InvalidOption, match="mask"):
        image_properties(painted((RED, 1)), mask)


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (3000, 2), (1300, 900)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    found = image_properties(np.full((*size, 3), GOLD, np.uint8), np.ones((8, 8), np.float32))
    (only,) = found.whole.colours
    assert near(only, GOLD, 1)
    assert found.foreground is not None


def test_the_size_of_a_picture_hardly_matters(portrait: np.ndarray) -> None:
    here = image_properties(portrait).whole
    there = image_properties(cv2.resize(portrait, (1536, 1536), interpolation=cv2.INTER_CUBIC)).whole
    assert there.look.brightness == pytest.approx(here.look.brightness, abs=1)
    assert there.look.contrast == pytest.approx(here.look.contrast, abs=2)
    assert {colour.simple for colour in here.colours[:3]} == {colour.simple for colour in there.colours[:3]}


@pytest.mark.models
def test_the_person_mask_tells_an_orange_suit_from_what_is_behind_it(portrait: np.ndarray) -> None:
    mask = np.asarray(sightline.load("background").segmenter.mask(portrait), np.float32)
    found = image_properties(portrait, mask)
    assert found.foreground is not None
    assert found.background is not None

    def warm(colours: tuple[Colour, ...]) -> float:
        return sum(colour.share for colour in colours if colour.simple in ("orange", "red", "brown"))

    assert warm(found.foreground.colours) > 2 * warm(found.background.colours)


def test_a_real_photo_seen_by_eye(shared: Path) -> None:
    found = image_properties(read(shared / "photos/obama.jpg").pixels).whole
    assert found.colours[0].simple == "black"  # the suit
    assert "red" in {colour.simple for colour in found.colours}  # the flag
    assert Image.open(shared / "photos/obama.jpg").size == (910, 1137)
