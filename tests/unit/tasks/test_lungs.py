"""`lungs` through the real architecture, on an engine that sees what is bright."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sightline.architectures.bcdunet import BCDUNet
from sightline.engines.base import Array
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.lungs import Lungs
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

SIDE = 128


def bright(batch: Array) -> Array:
    """Logits: far above zero where the picture is white, far below where it is black."""
    return (batch - 0.5) * 40


def lungs(quiet: Settings, compute: Callable[[Array], Array] = bright, **options: Any) -> Lungs:
    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW", "colour": "L", "mean": [0.0], "scale": [1 / 255]}
    made = card(input=spec, thresholds={"score": 0.5}, options=options)
    return Lungs(BCDUNet(made, FakeEngine(compute, (1, 1, SIDE, SIDE))), quiet)


def xray(*fields: tuple[int, int, int, int], side: int = SIDE) -> npt.NDArray[np.uint8]:
    """White rectangles (left, top, right, bottom) on black."""
    pixels = np.zeros((side, side, 3), np.uint8)
    for left, top, right, bottom in fields:
        pixels[top:bottom, left:right] = 255
    return pixels


RIGHT, LEFT = (10, 20, 50, 110), (75, 25, 115, 100)


def test_two_fields_are_kept_and_measured(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    picture = xray(RIGHT, LEFT)
    answer = lungs(quiet)(picture)
    assert np.array_equal(answer.mask, picture[..., 0])
    assert [lung.box for lung in answer.lungs] == [Box(10, 20, 40, 90), Box(75, 25, 40, 75)]
    assert [lung.area_pixels for lung in answer.lungs] == [3600, 3000]
    said = checked(answer)
    assert said["area_pixels"] == 6600
    assert said["coverage"] == round(6600 / SIDE**2, 4)
    assert said["image"] == {"width": SIDE, "height": SIDE}
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(said["mask"]["png"]))).convert("L"))
    assert np.array_equal(mask, answer.mask)


def test_specks_are_dropped(quiet: Settings) -> None:
    answer = lungs(quiet)(xray(RIGHT, (100, 100, 106, 106)))
    assert np.array_equal(answer.mask, xray(RIGHT)[..., 0])
    assert len(answer.lungs) == 1
    # The card says what a speck is.
    assert len(lungs(quiet, smallest_share=0.001)(xray(RIGHT, (100, 100, 106, 106))).lungs) == 2


def test_a_third_field_is_no_lung(quiet: Settings) -> None:
    answer = lungs(quiet)(xray(RIGHT, LEFT, (60, 2, 120, 15)))
    assert np.array_equal(answer.mask, xray(RIGHT, LEFT)[..., 0])


def test_holes_are_filled(quiet: Settings) -> None:
    picture = xray(RIGHT, LEFT)
    picture[50:60, 20:35] = 0
    answer = lungs(quiet)(picture)
    assert np.array_equal(answer.mask, xray(RIGHT, LEFT)[..., 0])
    assert answer.area_pixels == sum(lung.area_pixels for lung in answer.lungs) == 6600


def test_a_bay_is_no_hole(quiet: Settings) -> None:
    picture = xray(RIGHT)
    picture[50:60, 10:35] = 0
    assert np.array_equal(lungs(quiet)(picture).mask, picture[..., 0])


def test_no_lung_is_an_answer(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    said = checked(lungs(quiet)(xray()))
    assert (said["lungs"], said["area_pixels"], said["coverage"]) == ([], 0, 0)
    said = checked(lungs(quiet)(xray((0, 0, SIDE, SIDE))))
    assert (len(said["lungs"]), said["coverage"]) == (1, 1)


def test_the_threshold_is_the_card_s(quiet: Settings) -> None:
    grey = xray((30, 30, 90, 90)) // 255 * 130  # a probability of about 0.6
    made = lungs(quiet)
    assert made(grey).area_pixels == 3600
    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW", "colour": "L", "mean": [0.0], "scale": [1 / 255]}
    strict = card(input=spec, thresholds={"score": 0.9})
    assert Lungs(BCDUNet(strict, FakeEngine(bright, (1, 1, SIDE, SIDE))), quiet)(grey).area_pixels == 0


def test_a_network_may_give_probabilities(quiet: Settings) -> None:
    # As probabilities 0.45 is below the threshold; as logits it would lie above.
    grey = xray((30, 30, 90, 90)) // 255 * 115
    assert lungs(quiet, lambda batch: batch, output="probabilities")(grey).area_pixels == 0
    assert lungs(quiet, lambda batch: batch)(grey).area_pixels > 0


def test_huge_logits_stay_quiet(quiet: Settings) -> None:
    with np.errstate(all="raise"):
        answer = lungs(quiet, lambda batch: np.asarray((batch - 0.5) * 1e6, np.float32))(xray(RIGHT))
    assert answer.area_pixels == 3600


@pytest.mark.parametrize(("width", "height"), [(300, 500), (1000, 200), (1, 1), (7, 300)])
def test_the_mask_has_the_picture_s_size(quiet: Settings, width: int, height: int) -> None:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[:, : width // 2] = 0
    answer = lungs(quiet)(pixels)
    assert answer.mask.shape == (height, width)
    assert answer.mask.dtype == np.uint8
    assert set(np.unique(answer.mask)) <= {0, 255}
    share = (answer.mask > 0).mean()
    assert share == pytest.approx(1 - width // 2 / width, abs=0.02 + 1 / width)


def test_a_reduced_jpeg_gets_a_full_size_mask(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    picture = np.zeros((1600, 2400, 3), np.uint8)
    picture[400:1200, 600:1800] = 255
    photo = encode(Image.fromarray(picture), "JPEG")
    made = lungs(quiet)
    assert made.ask({"image": photo}, {}).image.pixels.shape == (800, 1200, 3), "decoded at a half"
    answer = made(photo)
    assert answer.mask.shape == (1600, 2400)
    box = answer.lungs[0].box
    assert np.abs(np.array(box.corners) - [600, 400, 1800, 1200]).max() <= 20
    assert checked(answer)["image"] == {"width": 2400, "height": 1600}
    drawn = answer.draw(photo)
    assert drawn.size == (2400, 1600)
    green, white = np.asarray(drawn)[800, 1200].astype(int), 255
    assert green[0] < white - 80, "tinted"


def test_a_judge_says_whether_it_is_a_film(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    def judged(batch: Array) -> tuple[Array, Array]:
        return bright(batch), np.array([0.2 if batch.mean() < 0.05 else 0.9], np.float32)

    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW", "colour": "L", "mean": [0.0], "scale": [1 / 255]}
    made = card(input=spec, thresholds={"score": 0.5, "chest_xray": 0.5})
    task = Lungs(BCDUNet(made, FakeEngine(judged, (1, 1, SIDE, SIDE))), quiet)
    film, dark = xray(RIGHT, LEFT), xray((60, 60, 64, 64))
    assert checked(task(film))["quality"] == {"looks_like_chest_xray": True, "chest_xray": 0.9}
    answer = task(dark)
    assert checked(answer)["quality"] == {"looks_like_chest_xray": False, "chest_xray": 0.2}
    assert np.asarray(answer.draw(dark)).tolist() != np.asarray(task(film).draw(dark)).tolist()
    assert len(np.unique(np.asarray(answer.draw(dark)).reshape(-1, 3), axis=0)) > 2  # the warning is written on it


def test_without_a_judge_quality_is_unknown(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    assert checked(lungs(quiet)(xray(RIGHT, LEFT)))["quality"] == {"looks_like_chest_xray": None, "chest_xray": None}
