"""`background` on a segmenter that sees what is bright."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import FetchRefused, InvalidImage, InvalidOption, Offline
from sightline.images.encode import encode
from sightline.settings import Settings
from sightline.tasks.background import BackgroundChanger
from sightline.tasks.base import Answer
from tests.fakes.models import FakeSegmenter

Check = Callable[[Answer], dict[str, Any]]

# A light person on a dark wall with a gradient; well inside and well outside of the person.
PHOTO = np.zeros((120, 160, 3), np.uint8)
PHOTO[..., 2] = np.linspace(20, 60, 160).astype(np.uint8)
PHOTO[30:100, 50:110] = (230, 200, 180)
INSIDE = (slice(45, 85), slice(65, 95))
OUTSIDE = (slice(0, 15), slice(0, 160))
OTHER = np.full((50, 50, 3), (10, 140, 70), np.uint8)

CHOICES: dict[str, Any] = {
    "query": "sunset",
    "background": OTHER,
    "color": "navy",
    "blur": True,
    "transparent": True,
}


@pytest.fixture
def task(quiet: Settings) -> BackgroundChanger:
    return BackgroundChanger(FakeSegmenter(), quiet)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(CHOICES, 2)))
def test_only_one_background_may_be_chosen(task: BackgroundChanger, first: str, second: str) -> None:
    with pytest.raises(InvalidOption, match=f"{first}.*{second}"):
        task(PHOTO, **{first: CHOICES[first], second: CHOICES[second]})


@pytest.mark.parametrize("choice", [None, *CHOICES])
def test_each_choice_keeps_the_person_and_replaces_the_rest(
    task: BackgroundChanger, checked: Check, choice: str | None
) -> None:
    answer = task(PHOTO, **({choice: CHOICES[choice]} if choice else {}))
    said = checked(answer)
    drawn = answer.draw(PHOTO)
    assert drawn.size == (160, 120)
    assert drawn.mode == ("RGBA" if choice in (None, "transparent") else "RGB")
    pixels = np.asarray(drawn)
    assert np.array_equal(pixels[INSIDE][..., :3], PHOTO[INSIDE])
    if drawn.mode == "RGBA":
        assert (pixels[INSIDE][..., 3] == 255).all()
        assert (pixels[OUTSIDE][..., 3] == 0).all()
    else:
        assert not np.array_equal(pixels[OUTSIDE], PHOTO[OUTSIDE])
    assert (
        said["background"]["source"]
        == {
            None: "transparent",
            "transparent": "transparent",
            "blur": "blur",
            "color": "color",
            "background": "file",
            "query": "gallery",
        }[choice]
    )
    assert answer.caption() == {"coverage": said["coverage"], "background": said["background"]}


def test_false_and_none_choose_nothing(task: BackgroundChanger) -> None:
    answer = task(PHOTO, color="white", blur=False, transparent="no", query=None, background=None)
    assert (np.asarray(answer.draw(PHOTO))[OUTSIDE] == 255).all()


def test_a_colour_fills_the_rest(task: BackgroundChanger) -> None:
    pixels = np.asarray(task(PHOTO, color="#1e90ff").draw(PHOTO))
    assert (pixels[OUTSIDE] == (0x1E, 0x90, 0xFF)).all()
    for wrong in ("sky", "", "#12345", "#ffffff80"):
        with pytest.raises(InvalidOption):
            task(PHOTO, color=wrong)


def test_a_picture_fills_the_rest(task: BackgroundChanger) -> None:
    for background in (OTHER, encode(Image.fromarray(OTHER)), Image.fromarray(OTHER)):
        pixels = np.asarray(task(PHOTO, background=background).draw(PHOTO))
        assert (pixels[OUTSIDE] == (10, 140, 70)).all()
    assert np.array_equal(np.asarray(task(PHOTO, OTHER).draw(PHOTO)), pixels), "the second picture is the background"
    with pytest.raises(InvalidImage):
        task(PHOTO, background=b"no picture")


def test_a_query_says_what_was_found(task: BackgroundChanger, checked: Check) -> None:
    about = checked(task(PHOTO, query="sunset"))["background"]
    assert about["source"] == "gallery"
    assert about["title"]
    assert about["licence"]
    with pytest.raises(InvalidOption):
        task(PHOTO, query="   ")
    with pytest.raises(InvalidOption):
        task(PHOTO, query="x" * 2000)


def test_blur_smears_the_wall_without_the_person(task: BackgroundChanger) -> None:
    stripes = PHOTO.copy()
    stripes[:25, ::2] = 90
    answer = task(stripes, blur=True)
    pixels = np.asarray(answer.draw(stripes)).astype(int)
    assert pixels[2:20, 20:140].std(axis=1).mean() < stripes[2:20, 20:140].std(axis=1).mean() / 3
    # A person of 230 leaves no glow on a wall of at most 90.
    assert pixels[answer.mask == 0].max() <= 92


def test_the_mask_is_soft_and_its_mean_is_the_coverage(quiet: Settings, checked: Check) -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    grey = np.full((256, 256, 3), 127, np.uint8)
    answer = BackgroundChanger(FakeSegmenter(ramp), quiet)(grey)
    said = checked(answer)
    assert answer.mask.shape == (256, 256)
    assert answer.mask.dtype == np.uint8
    assert ((answer.mask > 10) & (answer.mask < 245)).any(), "soft"
    assert answer.mask[:, 0].max() == 0
    assert answer.mask[:, -1].min() == 255
    assert said["coverage"] == round(float(answer.mask.mean()) / 255, 4)
    assert 0.4 < said["coverage"] < 0.6
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(said["mask"]["png"]))))
    assert np.array_equal(mask, answer.mask)
    assert np.array_equal(np.asarray(answer.draw(grey))[..., 3], answer.mask)


@pytest.mark.parametrize(("value", "coverage"), [(0.0, 0), (1.0, 1)])
def test_nobody_and_nothing_but_people(quiet: Settings, checked: Check, value: float, coverage: float) -> None:
    segmenter = FakeSegmenter(np.full((16, 16), value, np.float32))
    answer = BackgroundChanger(segmenter, quiet)(PHOTO, blur=True)
    assert checked(answer)["coverage"] == coverage
    assert answer.draw(PHOTO).size == (160, 120)
    if coverage:
        assert np.array_equal(np.asarray(answer.draw(PHOTO)), PHOTO)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (3, 3)])
def test_tiny_and_thin_pictures(task: BackgroundChanger, shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)
    for options in ({}, {"blur": True}, {"color": "red"}, {"query": "sea"}):
        assert task(pixels, **options).draw(pixels).size == shape[::-1]


def test_online_providers_only_where_they_are_allowed(quiet: Settings) -> None:
    served = BackgroundChanger(FakeSegmenter(), replace(quiet, online=False))
    with pytest.raises(FetchRefused, match="openverse"):
        served(PHOTO, query="sea", provider="openverse")
    assert served(PHOTO, query="sea").behind is not None
    offline = BackgroundChanger(FakeSegmenter(), quiet)
    with pytest.raises(Offline):
        offline(PHOTO, query="sea", provider="openverse")
    fallen = offline(PHOTO, query="sea", provider="openverse", fallback=True)
    assert "openverse" in fallen.to_dict()["background"]["source"]
    with pytest.raises(InvalidOption, match="gallery"):
        offline(PHOTO, query="sea", provider="altavista")
