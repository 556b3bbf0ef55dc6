"""`emotion` through the real architecture, on an engine that was told what to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sightline.architectures.expression import Expression
from sightline.engines.base import Array
from sightline.errors import InvalidCard, InvalidOption
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.emotion import EMOTIONS, Emotion
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine
from tests.fakes.models import FakeClassifier, FakeDetector, found

# Another order than the answer's.
LABELS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
LOGITS = np.array([0.5, 3.0, 1.0, -1.0, 0.0, 2.0, -2.0], np.float32)
GREY = {"width": 48, "height": 48, "layout": "NCHW", "colour": "L", "mean": [0.0], "scale": [1.0]}
PHOTO = np.random.default_rng(4).integers(0, 256, (100, 160, 3)).astype(np.uint8)
FACES = (found(20, 30, 40, 40, 0.9), found(90, 20, 30, 50, 0.8))


def told(batch: Array) -> Array:
    """The first face gets LOGITS, the second their reverse, ..."""
    return np.stack([np.roll(LOGITS, index) for index in range(len(batch))])


def classifier(compute: Callable[[Array], Array] = told, **members: Any) -> Expression:
    engine = FakeEngine(compute, (None, 1, 48, 48))
    return Expression(card(**{"labels": list(LABELS), "input": GREY, **members}), engine)


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum())


def task(quiet: Settings, *faces: Any, **arguments: Any) -> Emotion:
    return Emotion(classifier(**arguments), FakeDetector(faces or FACES), quiet)


def test_scores_are_those_of_the_card_s_labels(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    made = task(quiet)
    answer = made(PHOTO)
    said = checked(answer)
    for index, face in enumerate(answer.faces):
        wanted = dict(zip(LABELS, softmax(np.roll(LOGITS, index)), strict=True))
        assert face.scores == pytest.approx(wanted, abs=1e-5)
        assert sum(face.scores.values()) == pytest.approx(1, abs=1e-5)
        assert face.emotion == max(wanted, key=wanted.__getitem__)
    assert [face["emotion"] for face in said["faces"]] == ["happy", "sad"]
    assert list(said["faces"][0]["scores"]) == list(EMOTIONS)
    assert sum(said["faces"][0]["scores"].values()) == pytest.approx(1, abs=4e-4)
    assert [model["name"] for model in said["models"]] == ["fake", "fake-detector"]


def test_all_faces_go_through_the_network_at_once(quiet: Settings) -> None:
    made = task(quiet)
    made(PHOTO)
    (((batch,),)) = made.classifier.engine.seen
    assert batch.shape == (2, 1, 48, 48)
    assert batch.dtype == np.float32


def test_extreme_logits_stay_finite(quiet: Settings) -> None:
    made = task(quiet, compute=lambda batch: np.tile(np.float32([1e4, -1e4, 0, 0, 0, 0, 0]), (len(batch), 1)))
    assert made(PHOTO).faces[0].scores == pytest.approx(dict.fromkeys(LABELS, 0) | {LABELS[0]: 1})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_divides_the_logits(quiet: Settings, temperature: float) -> None:
    answer = task(quiet, options={"temperature": temperature})(PHOTO)
    wanted = softmax(LOGITS / temperature)
    assert list(answer.faces[0].scores.values()) == pytest.approx(list(wanted), abs=1e-5)
    assert answer.faces[0].emotion == "happy"


def test_a_mirrored_copy_is_averaged_where_the_card_says_so() -> None:
    def left_and_right(batch: Array) -> Array:
        halves = np.stack([batch[..., :24].mean(axis=(1, 2, 3)), batch[..., 24:].mean(axis=(1, 2, 3))], axis=1)
        return np.pad(halves / 64, ((0, 0), (0, 5))).astype(np.float32)

    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3)).astype(np.uint8)
    crops[:, :, :24] //= 2
    both, one = classifier(left_and_right, options={"mirror": True}), classifier(left_and_right)
    scores = both.scores(crops)
    assert scores == pytest.approx(both.scores(crops[:, :, ::-1]), abs=1e-6)
    assert scores[:, 0] == pytest.approx(scores[:, 1], abs=1e-6)
    assert (np.abs(one.scores(crops)[:, 0] - one.scores(crops)[:, 1]) > 0.05).all()


def test_the_crop_is_the_square_around_the_box(quiet: Settings) -> None:
    spec = {**GREY, "width": 40, "height": 40}
    crop = task(quiet, input=spec).crop(PHOTO, found(20, 30, 40, 30))
    assert np.array_equal(crop, PHOTO[25:65, 20:60])


def test_the_crop_of_a_face_at_the_border_repeats_the_border(quiet: Settings) -> None:
    spec = {**GREY, "width": 36, "height": 36}
    made = task(quiet, input=spec, options={"margin": 1.2, "shift_down": 0.1})
    # Side 30 x 1.2 = 36 around (10, 15 + 3): from (-8, 0) to (28, 36).
    crop = made.crop(PHOTO, found(0, 0, 20, 30))
    assert np.array_equal(crop[:, 8:], PHOTO[:36, :28])
    assert (crop[:, :8] == PHOTO[:36, :1]).all()
    # And at the opposite corner: from (132, 67) to (168, 103) of 160 x 100.
    crop = made.crop(PHOTO, found(140, 67, 20, 30))
    assert np.array_equal(crop[:33, :28], PHOTO[67:, 132:])
    assert (crop[:33, 28:] == PHOTO[67:, -1:]).all()
    assert (crop[33:, 28:] == PHOTO[-1, -1]).all()


def test_a_grey_network_sees_luminance_and_its_card_s_mean_and_scale(quiet: Settings) -> None:
    colour = np.zeros((60, 60, 3), np.uint8)
    colour[:] = (200, 100, 50)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    made = task(quiet, found(10, 10, 20, 20), input={**GREY, "mean": [120.0], "scale": [0.5]})
    made(colour)
    assert made.classifier.engine.seen[0][0] == pytest.approx((grey - 120) / 2, abs=0.5)
    plain = {name: GREY[name] for name in ("width", "height", "layout", "colour")}
    made = task(quiet, found(10, 10, 20, 20), input=plain)
    made(colour)
    assert made.classifier.engine.seen[0][0] == pytest.approx(grey, abs=1)


def test_labels_must_be_the_seven(quiet: Settings) -> None:
    for labels in (LABELS[1:], (*LABELS[1:], "bored"), (*LABELS, "contempt")):
        with pytest.raises(InvalidCard, match="angry"):
            Emotion(FakeClassifier(labels), FakeDetector(), quiet)
    assert Emotion(FakeClassifier(LABELS), FakeDetector(FACES), quiet)(PHOTO).faces[0].emotion == "neutral"


def test_faces_are_chosen_by_confidence_and_lie_inside(
    quiet: Settings, checked: Callable[[Answer], dict[str, Any]]
) -> None:
    assert len(task(quiet)(PHOTO, confidence="0.85").faces) == 1
    assert checked(task(quiet)(PHOTO, confidence=1.0))["faces"] == []
    with pytest.raises(InvalidOption):
        task(quiet)(PHOTO, confidence=1.5)
    outside = task(quiet, found(-60, 0, 50, 50), found(150, 80, 40, 40))(PHOTO)
    assert [face.face.box for face in outside.faces] == [Box(150, 80, 10, 20)]


def test_a_reduced_jpeg_is_answered_in_full_size_pixels(quiet: Settings) -> None:
    photo = encode(Image.new("RGB", (4160, 80), (90, 90, 90)), "JPEG")
    answer = task(quiet, found(10, 5, 20, 30))(photo)
    assert answer.faces[0].face.box == Box(20, 10, 40, 60)
    assert answer.draw(photo).size == (4160, 80)


def test_the_drawing_is_the_picture_with_the_faces(quiet: Settings) -> None:
    blank = np.zeros_like(PHOTO)
    drawn = np.asarray(task(quiet)(blank).draw(blank))
    assert drawn.shape == PHOTO.shape
    assert drawn[50, 20:22].any()
    assert drawn[45, 90:92].any()


def test_warming_runs_the_network_once(quiet: Settings) -> None:
    made = task(quiet)
    made.warm()
    assert [array.shape for (array,) in made.classifier.engine.seen] == [(1, 1, 48, 48)]
