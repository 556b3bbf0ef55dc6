"""`similarity` on drawn faces whose distances are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sightline.errors import InvalidOption, MissingInput, NoFace
from sightline.images.decode import read
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.similarity import Similarity
from tests.fakes.models import BrightFaces, FakeDetector, FakeEmbedder, FakeMesher, found

Check = Callable[[Answer], dict[str, Any]]
RED, REDDISH, GREEN, BLUE = (200, 0, 0), (180, 20, 0), (0, 200, 0), (0, 0, 200)


def photo(*faces: tuple[tuple[int, int, int], int]) -> npt.NDArray[np.uint8]:
    """Faces of a colour and a side, beside one another on black."""
    pixels = np.zeros((90, 10 + sum(side + 10 for _, side in faces) or 90, 3), np.uint8)
    left = 10
    for colour, side in faces:
        pixels[10 : 10 + side, left : left + side] = colour
        left += side + 10
    return pixels


@pytest.fixture
def task(quiet: Settings) -> Similarity:
    return Similarity(FakeEmbedder(), BrightFaces(), FakeMesher(), quiet)


def apart(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    return math.dist(a, b) / 255


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [(REDDISH, GREEN, "img1"), (GREEN, REDDISH, "img2"), (GREEN, BLUE, "neither"), (RED, RED, "img1")],
)
def test_the_nearer_one_if_it_is_near_enough(
    task: Similarity, checked: Check, first: tuple[int, int, int], second: tuple[int, int, int], wanted: str
) -> None:
    answer = task(photo((RED, 40)), photo((first, 40)), photo((second, 40)))
    said = checked(answer)
    assert said["more_similar"] == wanted
    assert said["distance"] == pytest.approx({"img1": apart(RED, first), "img2": apart(RED, second)}, abs=1e-3)
    assert said["same_person"] == {"img1": apart(RED, first) < 0.4, "img2": apart(RED, second) < 0.4}
    assert said["threshold"] == 0.4
    curve = {name: 1 / (1 + math.exp(8 * (distance - 0.5))) for name, distance in said["distance"].items()}
    assert said["similarity"] == pytest.approx(curve, abs=2e-3)
    assert [model["name"] for model in said["models"]] == ["fake-embedder", "fake-bright", "fake-mesher"]


def test_both_may_be_the_same_person(task: Similarity) -> None:
    answer = task(photo((RED, 40)), photo((REDDISH, 40)), photo((RED, 40)))
    assert answer.same_person == (True, True)
    assert answer.more_similar == "img2"


@pytest.mark.parametrize("given", [0.01, "0.01", 0])
def test_the_caller_may_set_the_threshold(task: Similarity, given: Any) -> None:
    answer = task(photo((RED, 40)), photo((REDDISH, 40)), photo((GREEN, 40)), threshold=given)
    assert answer.threshold == float(given)
    assert answer.more_similar == "neither"
    loose = task(photo((RED, 40)), photo((BLUE, 40)), photo((GREEN, 40)), threshold=4)
    assert loose.same_person == (True, True)
    for wrong in (-0.1, 4.1, float("nan"), "near"):
        with pytest.raises(InvalidOption, match="threshold"):
            task(photo((RED, 40)), photo((RED, 40)), photo((RED, 40)), threshold=wrong)


def test_of_several_faces_the_largest_counts_and_their_number_is_told(task: Similarity, checked: Check) -> None:
    group = photo((GREEN, 20), (RED, 60), (BLUE, 30))
    said = checked(task(photo((RED, 40)), group, photo((RED, 15), (GREEN, 50))))
    assert said["distance"] == pytest.approx({"img1": 0, "img2": apart(RED, GREEN)}, abs=1e-3)
    assert {name: face["count"] for name, face in said["faces"].items()} == {"anchor": 1, "img1": 3, "img2": 2}
    assert said["faces"]["img1"]["box"] == {"x": 40, "y": 10, "width": 60, "height": 60}
    assert said["faces"]["img1"]["image"] == {"width": group.shape[1], "height": 90}


@pytest.mark.parametrize("empty", ["anchor", "img1", "img2"])
def test_a_picture_without_a_face_is_named(task: Similarity, empty: str) -> None:
    pictures = {name: photo() if name == empty else photo((RED, 40)) for name in ("anchor", "img1", "img2")}
    with pytest.raises(NoFace, match=f"in {empty}$"):
        task(**pictures)


def test_a_picture_left_out_is_named(task: Similarity) -> None:
    with pytest.raises(MissingInput, match="img2"):
        task(photo((RED, 40)), photo((RED, 40)))


@pytest.mark.parametrize(
    ("detector", "mesh", "accepted"),
    [(0.6, 0.0, True), (0.4, 0.9, True), (0.4, 0.5, True), (0.4, 0.1, False), (0.2, 1.0, False)],
)
def test_a_doubtful_face_counts_if_the_mesh_is_sure(
    quiet: Settings, detector: float, mesh: float, accepted: bool
) -> None:
    face = found(10, 10, 40, 40, detector)
    task = Similarity(FakeEmbedder(), FakeDetector([face]), FakeMesher(mesh), quiet)
    pictures = (photo((RED, 40)), photo((RED, 40)), photo((RED, 40)))
    if accepted:
        assert task(*pictures).more_similar == "img1"
    else:
        with pytest.raises(NoFace):
            task(*pictures)


def test_the_curve_falls_from_one_to_zero(task: Similarity) -> None:
    values = [task.calibrated(distance) for distance in (0, 0.3, 0.5, 0.7, 2, 1e6)]
    assert values == sorted(values, reverse=True)
    assert values[2] == pytest.approx(0.5)
    assert values[0] > 0.98
    assert 0 <= values[-1] < 1e-6


def test_one_embedding(task: Similarity) -> None:
    vector = task.embed(read(photo((REDDISH, 40))))
    assert vector == pytest.approx(np.array(REDDISH) / 255, abs=0.01)
    assert vector.dtype == np.float32
    with pytest.raises(NoFace, match="in here"):
        task.embed(read(photo()), "here")


def test_the_drawing_shows_the_three_side_by_side(task: Similarity) -> None:
    pictures = {"anchor": photo((RED, 40)), "img1": photo((RED, 20), (GREEN, 60)), "img2": photo((BLUE, 70))}
    answer = task(**pictures)
    sheet = task.drawing(answer, pictures)
    widths = sum(picture.shape[1] for picture in pictures.values())
    assert sheet.height == 90
    assert widths <= sheet.width <= widths + 10
    for name, picture in pictures.items():
        assert answer.draw(picture, name).size == picture.shape[1::-1]
