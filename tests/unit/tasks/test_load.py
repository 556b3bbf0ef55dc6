"""Real weights on real photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import sightline
from sightline.errors import NoFace
from sightline.tasks.base import Task

pytestmark = pytest.mark.models

SAMPLES = Path(sightline.__file__).parent / "web" / "samples"
Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def faces() -> Task[Any, Any]:
    return sightline.load("faces")


@pytest.fixture(scope="module")
def similarity() -> Task[Any, Any]:
    return sightline.load("similarity")


@pytest.fixture(scope="module")
def background() -> Task[Any, Any]:
    return sightline.load("background")


def assert_the_astronaut(face: Any) -> None:
    """Eileen Collins's face lies around (222, 120) of 512 x 512, some 100 pixels wide."""
    box, points = face.box, face.landmarks
    assert abs(box.x + box.width / 2 - 222) < 20
    assert abs(box.y + box.height / 2 - 120) < 25
    assert 70 < box.width < 170
    assert 70 < box.height < 190
    if points:
        # Her left eye lies at the right of the picture.
        assert points["right_eye"][0] < points["nose"][0] < points["left_eye"][0]
        assert points["left_eye"][1] < points["nose"][1] < points["mouth"][1]
        assert box.x < points["right_eye"][0]
        assert points["left_eye"][0] < box.x + box.width


@pytest.mark.parametrize("detector", [None, "blazeface", "blazeface-full", "blazeface-short", "haar"])
def test_one_face_where_it_is(portrait: Pixels, detector: str | None) -> None:
    answer = sightline.load("faces", detector=detector)(portrait, confidence=0.7)
    assert len(answer.faces) == 1
    assert_the_astronaut(answer.faces[0])


def test_every_kind_of_source_gives_the_same_answer(faces: Task[Any, Any], tmp_path: Path, portrait: Pixels) -> None:
    path = tmp_path / "portrait.png"
    Image.fromarray(portrait).save(path)
    answers = [faces(source) for source in (path, str(path), path.read_bytes(), portrait, Image.open(path))]
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0].faces) == 1


def test_a_turned_photo_is_answered_upright(faces: Task[Any, Any], tmp_path: Path, portrait: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(np.rot90(portrait).copy()).save(path, exif=exif)
    assert faces(path) == faces(portrait)


def test_a_large_photo_is_answered_in_its_own_pixels(faces: Task[Any, Any], tmp_path: Path, portrait: Pixels) -> None:
    canvas = Image.new("RGB", (4400, 2000), (120, 120, 120))
    canvas.paste(Image.fromarray(portrait).resize((1024, 1024)), (3000, 800))
    path = tmp_path / "large.jpg"
    canvas.save(path, quality=90)
    answer = faces(path)
    assert (answer.frame.width, answer.frame.height) == (4400, 2000)
    box = max(answer.faces, key=lambda face: face.box.area).box
    assert abs(box.x + box.width / 2 - (3000 + 444)) < 40
    assert abs(box.y + box.height / 2 - (800 + 240)) < 50


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (3, 5_000), (40, 40)])
@pytest.mark.parametrize("detector", ["blazeface", "haar"])
def test_pictures_of_any_shape_are_answered(detector: str, shape: tuple[int, int]) -> None:
    assert sightline.load("faces", detector=detector)(np.zeros((*shape, 3), np.uint8)).faces == ()


def test_a_mirrored_copy_is_the_same_person_and_another_is_not(similarity: Task[Any, Any], portrait: Pixels) -> None:
    mirrored = portrait[:, ::-1]
    answer = similarity(portrait, SAMPLES / "admiral.jpg", mirrored)
    assert answer.more_similar == "img2"
    assert answer.same_person == (False, True)
    assert answer.distance[1] < 0.35 < 0.6 < answer.distance[0]
    assert answer.similarity[1] > 0.9 > 0.5 > answer.similarity[0]
    assert_the_astronaut(answer.faces[0].face)


def test_a_picture_and_itself_are_no_distance_apart(similarity: Task[Any, Any], portrait: Pixels) -> None:
    answer = similarity(portrait, portrait, portrait)
    assert answer.distance == pytest.approx((0, 0), abs=1e-3)
    assert answer.more_similar == "img1"


def test_similarity_does_not_depend_on_the_format(
    similarity: Task[Any, Any], portrait: Pixels, portrait_jpeg: Path
) -> None:
    answer = similarity(portrait_jpeg, portrait_jpeg.read_bytes(), portrait)
    assert answer.distance[0] == pytest.approx(0, abs=1e-3)
    assert answer.distance[1] < 0.15


def test_no_face_names_the_picture(similarity: Task[Any, Any], portrait: Pixels, no_people_jpeg: Path) -> None:
    with pytest.raises(NoFace, match="img1"):
        similarity(portrait, no_people_jpeg, portrait)


def test_people_are_kept(background: Task[Any, Any], portrait: Pixels) -> None:
    answer = background(portrait, color="lime")
    assert 0.25 < answer.coverage < 0.85
    assert answer.mask[90:150, 190:260].min() > 250, "her face"
    assert answer.mask[300:, 200:300].mean() > 200, "her suit"
    drawn = np.asarray(answer.draw(portrait))
    assert np.array_equal(drawn[100:140, 200:250], portrait[100:140, 200:250])
    assert (answer.mask[:60, 400:500] == 0).mean() > 0.9, "the shuttle behind her"
    # A mask says where, so the answer in JSON has the picture's size whatever the network's.
    assert answer.mask.shape == portrait.shape[:2]


def test_answers_say_which_weights_gave_them(similarity: Task[Any, Any], portrait: Pixels) -> None:
    said = similarity(portrait, portrait, portrait).to_dict()
    assert said["model"]["name"] == "dlib-face"
    assert {model["name"] for model in said["models"]} == {"dlib-face", "blazeface-full", "blazeface-short", "facemesh"}
    assert all(len(model["sha256"]) == 64 for model in said["models"])
