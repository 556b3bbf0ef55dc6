"""`faces` on a detector that was told what to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import ImageTooLarge, InvalidOption, MissingInput
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.faces import Faces
from tests.fakes.models import FakeDetector, found

BLANK = np.zeros((100, 200, 3), np.uint8)
MANY = (found(10, 10, 20, 30, 0.7), found(50, 20, 40, 40, 0.95), found(190, 90, 40, 40, 0.5))


def test_faces_come_with_boxes_landmarks_and_the_frame(
    quiet: Settings, checked: Callable[[Answer], dict[str, Any]]
) -> None:
    answer = Faces(FakeDetector(MANY), quiet)(BLANK)
    said = checked(answer)
    assert [face["confidence"] for face in said["faces"]] == [0.95, 0.7, 0.5]
    assert said["faces"][0]["box"] == {"x": 50, "y": 20, "width": 40, "height": 40}
    assert said["faces"][0]["landmarks"]["left_eye"] == {"x": 78, "y": 36}
    assert said["faces"][2]["box"] == {"x": 190, "y": 90, "width": 10, "height": 10}, "clipped to the picture"
    assert said["image"] == {"width": 200, "height": 100}
    assert said["model"]["name"] == "fake-detector"


def test_a_face_wholly_outside_is_none(quiet: Settings) -> None:
    assert Faces(FakeDetector([found(250, 10, 20, 20)]), quiet)(BLANK).faces == ()


@pytest.mark.parametrize(("confidence", "count"), [(0, 3), (0.6, 2), ("0.71", 1), (0.7, 2), (1, 0)])
def test_the_doubtful_are_left_out(quiet: Settings, confidence: Any, count: int) -> None:
    assert len(Faces(FakeDetector(MANY), quiet)(BLANK, confidence=confidence).faces) == count


def test_no_face_is_an_answer(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    assert checked(Faces(FakeDetector(), quiet)(BLANK))["faces"] == []


def test_a_reduced_jpeg_is_answered_in_full_size_pixels(quiet: Settings) -> None:
    photo = encode(Image.new("RGB", (4160, 80), (90, 90, 90)), "JPEG")
    detector = FakeDetector([found(10, 5, 20, 30)])
    answer = Faces(detector, quiet)(photo)
    assert (answer.frame.width, answer.frame.height) == (4160, 80)
    assert answer.faces[0].box == Box(20, 10, 40, 60)
    assert answer.faces[0].landmarks["right_eye"] == pytest.approx((32, 34))
    assert answer.draw(photo).size == (4160, 80)


def test_the_drawing_shows_each_face(quiet: Settings) -> None:
    answer = Faces(FakeDetector(MANY[:2]), quiet)(BLANK)
    drawn = np.asarray(answer.draw(BLANK))
    assert drawn.shape == BLANK.shape
    for face in answer.faces:
        left, top, right, bottom = (round(value) for value in face.box.corners)
        assert drawn[(top + bottom) // 2, left : left + 2].any()
        assert drawn[bottom - 2 : bottom + 2, (left + right) // 2].any()


def test_questions_that_cannot_be_asked(quiet: Settings) -> None:
    task = Faces(FakeDetector(), quiet)
    with pytest.raises(MissingInput, match="image"):
        task()
    with pytest.raises(InvalidOption, match="takes 1 pictures"):
        task(BLANK, BLANK)
    with pytest.raises(InvalidOption, match="twice"):
        task(BLANK, image=BLANK)
    with pytest.raises(InvalidOption, match="confidense"):
        task(BLANK, confidense=0.5)
    with pytest.raises(InvalidOption, match="anchor"):
        task.ask({"image": BLANK, "anchor": BLANK}, {})


def test_the_budgets_are_those_of_the_task_s_settings(quiet: Settings) -> None:
    with pytest.raises(ImageTooLarge):
        Faces(FakeDetector(), replace(quiet, max_pixels=100))(BLANK)
    with pytest.raises(ImageTooLarge):
        Faces(FakeDetector(), replace(quiet, max_bytes=10))(encode(Image.fromarray(BLANK)))


def test_timings_add_up_and_warming_reaches_the_model(quiet: Settings) -> None:
    detector = FakeDetector()
    task = Faces(detector, quiet)
    task.warm()
    assert detector.warmed == 1
    timings = task(BLANK).timings
    assert timings.queue == 0
    assert 0 < timings.decode + timings.infer <= timings.total * 1.0001


def test_the_same_question_gives_an_equal_answer(quiet: Settings) -> None:
    task = Faces(FakeDetector(MANY), quiet)
    assert task(BLANK) == task(image=BLANK)
