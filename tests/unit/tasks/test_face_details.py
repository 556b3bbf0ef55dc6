"""What can be said of a face: drawn heads whose truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sightline.architectures.base import FaceFound
from sightline.images.geometry import Box, Points
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks.details.landmarks import DEFAULT
from sightline.tasks.details.logistic import Logistic
from sightline.tasks.details.pose import solve_head
from sightline.tasks.details.quality import face_quality
from sightline.tasks.details.types import Pose, Verdict
from sightline.tasks.emotion import EMOTIONS, Emotion
from sightline.tasks.face_details import FaceDescriber, FaceDetails
from tests.fakes.heads import DrawnEyes, DrawnHead, DrawnMesher
from tests.fakes.models import FakeClassifier, FakeDetector

GREY = Picture.of(np.full((400, 400, 3), 128, np.uint8))

# The service's own enumeration of landmark types (botocore, rekognition 2016-06-27).
TYPES = {
    "eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight", "leftEyeBrowLeft", "leftEyeBrowRight", "leftEyeBrowUp",
    "rightEyeBrowLeft", "rightEyeBrowRight", "rightEyeBrowUp", "leftEyeLeft", "leftEyeRight", "leftEyeUp",
    "leftEyeDown", "rightEyeLeft", "rightEyeRight", "rightEyeUp", "rightEyeDown", "noseLeft", "noseRight", "mouthUp",
    "mouthDown", "leftPupil", "rightPupil", "upperJawlineLeft", "midJawlineLeft", "chinBottom", "midJawlineRight",
    "upperJawlineRight",
}  # fmt: skip


def described(head: DrawnHead, picture: Picture = GREY, *, with_eyes: bool = True, sure: float = 1.0) -> FaceDetails:
    eyes = DrawnEyes(head) if with_eyes else None
    (found,) = FaceDescriber(FakeDetector([head.found]), DrawnMesher(head, sure), eyes).describe(picture)
    return found


def points(details: FaceDetails) -> dict[str, tuple[float, float]]:
    return {landmark.type: (landmark.x, landmark.y) for landmark in details.landmarks}


# -- landmarks


def test_the_landmarks_are_those_of_the_service_and_lie_where_their_names_say() -> None:
    at = points(described(DrawnHead()))
    assert set(at) == TYPES
    assert set(DEFAULT) <= TYPES
    for left, right in (
        ("eyeLeft", "eyeRight"),
        ("mouthLeft", "mouthRight"),
        ("noseLeft", "noseRight"),
        ("leftPupil", "rightPupil"),
        ("leftEyeLeft", "leftEyeRight"),
        ("leftEyeRight", "rightEyeLeft"),
        ("rightEyeLeft", "rightEyeRight"),
        ("leftEyeBrowLeft", "leftEyeBrowUp"),
        ("leftEyeBrowUp", "leftEyeBrowRight"),
        ("leftEyeBrowRight", "rightEyeBrowLeft"),
        ("rightEyeBrowLeft", "rightEyeBrowUp"),
        ("rightEyeBrowUp", "rightEyeBrowRight"),
        ("upperJawlineLeft", "midJawlineLeft"),
        ("midJawlineRight", "upperJawlineRight"),
    ):
        assert at[left][0] < at[right][0], (left, right)
    order = ["leftEyeBrowUp", "leftEyeUp", "leftPupil", "leftEyeDown", "nose", "mouthUp", "mouthDown", "chinBottom"]
    heights = [at[name][1] for name in order]
    assert heights == sorted(heights)
    assert at["leftEyeLeft"][0] < at["leftPupil"][0] < at["leftEyeRight"][0]


def test_without_an_iris_network_there_are_no_pupils_and_nothing_of_eyes() -> None:
    details = described(DrawnHead(), with_eyes=False)
    assert set(points(details)) == TYPES - {"leftPupil", "rightPupil"}
    assert details.eyes_open is None
    assert details.eye_direction is None
    assert details.mouth_open is not None


def test_landmarks_and_box_are_in_full_size_pixels() -> None:
    head = DrawnHead()
    small = replace(GREY, width=800, height=1200)
    once, scaled = points(described(head)), points(described(head, small))
    for name in TYPES:
        assert scaled[name] == pytest.approx((once[name][0] * 2, once[name][1] * 3))
    assert described(head, small).face.box.width == pytest.approx(2 * described(head).face.box.width)


# -- pose


@pytest.mark.parametrize(
    ("pose", "nose_moves"),
    [(Pose(0, 30, 0), (1, 0)), (Pose(0, -30, 0), (-1, 0)), (Pose(0, 0, 25), (0, -1)), (Pose(0, 0, -25), (0, 1))],
)
def test_a_face_turned_to_the_right_or_upwards_has_a_positive_angle(pose: Pose, nose_moves: tuple[int, int]) -> None:
    ahead, turned = described(DrawnHead()), described(DrawnHead(pose))
    assert turned.pose is not None
    assert (turned.pose.yaw, turned.pose.pitch) == pytest.approx((pose.yaw, pose.pitch), abs=2.5)
    before, after = (
        np.subtract(at["nose"], np.add(at["eyeLeft"], at["eyeRight"]) / 2) for at in map(points, (ahead, turned))
    )
    assert float((after - before) @ nose_moves) > 10


def test_roll_is_clockwise_in_the_picture() -> None:
    details = described(DrawnHead(Pose(20, 0, 0)))
    assert details.pose is not None
    assert details.pose.roll == pytest.approx(20, abs=0.5)
    at = points(details)
    assert at["eyeRight"][1] > at["eyeLeft"][1] + 10


@pytest.mark.parametrize("mesh", [np.zeros((468, 2), np.float32), np.full((468, 2), np.nan, np.float32)])
def test_points_that_are_no_face_have_no_pose(mesh: Points) -> None:
    assert solve_head(mesh) is None


# -- mouth and smile


@pytest.mark.parametrize("pose", [Pose(0, 0, 0), Pose(15, 25, 0), Pose(-30, -20, 15)])
def test_an_open_mouth_is_open_however_the_head_is_turned(pose: Pose) -> None:
    shut, wide = described(DrawnHead(pose, gap=0.05)).mouth_open, described(DrawnHead(pose, gap=1.2)).mouth_open
    assert shut is not None
    assert wide is not None
    assert not shut.value
    assert wide.value
    assert min(shut.confidence, wide.confidence) > 0.9


def test_the_more_open_the_surer() -> None:
    said = [described(DrawnHead(gap=gap)).mouth_open for gap in (0.0, 0.2, 0.3, 0.45, 0.6, 1.0)]
    yes = [one.confidence if one.value else 1 - one.confidence for one in said if one is not None]
    assert len(yes) == 6
    assert yes == sorted(yes)
    assert yes[0] < 0.1 < 0.9 < yes[-1]


class Drawn(DrawnMesher):
    """The corners of the mouth drawn out and up by so many centimetres."""

    by = 0.0

    def points(self, pixels: Pixels, face: FaceFound) -> tuple[Points, float]:
        mesh = self.head.mesh
        for corner, sign in ((61, -1), (291, 1)):
            mesh[corner] += np.float32([sign * self.by, -self.by]) * self.head.scale
        return mesh, 1.0


def test_the_wider_and_the_higher_the_mouth_is_drawn_the_more_it_smiles() -> None:
    head, said = DrawnHead(), []
    for by in (-0.6, -0.3, 0.0, 0.3, 0.6):
        mesher = Drawn(head)
        mesher.by = by
        verdict = FaceDescriber(FakeDetector([head.found]), mesher).describe(GREY)[0].smile
        assert verdict is not None
        said.append(verdict.confidence if verdict.value else 1 - verdict.confidence)
    assert said == sorted(said)
    assert said[0] < 0.1 < 0.9 < said[-1]


def test_an_expression_network_decides_the_smile_and_gives_the_emotions(quiet: Settings) -> None:
    head = DrawnHead()
    happy = FakeClassifier(("happy", *(name for name in EMOTIONS if name != "happy")))
    emotion = Emotion(happy, FakeDetector(), quiet)
    (details,) = FaceDescriber(FakeDetector([head.found]), DrawnMesher(head), None, emotion).describe(GREY)
    assert details.smile == Verdict(True, 1.0)
    assert details.emotions is not None
    assert set(details.emotions) == set(EMOTIONS)
    assert sum(details.emotions.values()) == pytest.approx(1)
    (alone,) = FaceDescriber(FakeDetector([head.found]), None, None, emotion).describe(GREY)
    assert alone.smile == Verdict(True, 1.0)


# -- eyes


@pytest.mark.parametrize("pose", [Pose(0, 0, 0), Pose(25, 20, 10), Pose(0, -30, 0)])
def test_open_and_closed_eyes(pose: Pose) -> None:
    wide, shut = (described(DrawnHead(pose, opening=opening)).eyes_open for opening in (1.1, 0.1))
    assert wide is not None
    assert shut is not None
    assert wide.value
    assert not shut.value
    assert min(wide.confidence, shut.confidence) > 0.9


@pytest.mark.parametrize("pose", [Pose(0, 0, 0), Pose(0, 20, 0), Pose(0, -20, 10), Pose(30, 0, -10)])
@pytest.mark.parametrize("gaze", [(0, 0), (20, 0), (-20, 0), (0, 15), (0, -15), (15, 10)])
def test_the_direction_of_the_eyes_is_that_relative_to_the_head(pose: Pose, gaze: tuple[float, float]) -> None:
    direction = described(DrawnHead(pose, gaze=gaze)).eye_direction
    assert direction is not None
    assert (direction.yaw, direction.pitch) == pytest.approx(gaze, abs=5)
    assert 0.5 < direction.confidence < 1


def test_smaller_eyes_give_a_less_certain_direction_and_tiny_ones_none() -> None:
    large, small = (described(DrawnHead(scale=scale)).eye_direction for scale in (20, 5))
    assert large is not None
    assert small is not None
    assert small.confidence < large.confidence
    tiny = described(DrawnHead(scale=1.5))
    assert tiny.eyes_open is None
    assert tiny.eye_direction is None
    assert tiny.pose is not None


def test_closed_eyes_look_nowhere() -> None:
    details = described(DrawnHead(opening=0.1))
    assert details.eyes_open is not None
    assert details.eye_direction is None


# -- what is left out


@pytest.mark.parametrize("yaw", [-55, 55])
def test_a_face_turned_far_aside_keeps_its_pose_and_loses_eyes_mouth_and_smile(yaw: float) -> None:
    details = described(DrawnHead(Pose(0, yaw, 0)))
    assert details.pose is not None
    assert abs(details.pose.yaw) > 40
    assert (details.eyes_open, details.mouth_open, details.smile, details.eye_direction) == (None,) * 4
    assert details.landmarks


@pytest.mark.parametrize("mesher", [None, DrawnMesher(DrawnHead(), confidence=0.4)])
def test_without_a_mesh_or_where_it_is_unsure_only_the_quality_is_known(mesher: DrawnMesher | None) -> None:
    head = DrawnHead()
    (details,) = FaceDescriber(FakeDetector([head.found]), mesher, DrawnEyes(head)).describe(GREY)
    assert details == FaceDetails(face=details.face, quality=details.quality)
    assert details.quality.brightness == pytest.approx(53.6, abs=0.1)
    assert set(details.to_dict()) == {"face", "quality"}


def test_a_face_cut_by_the_border_is_occluded_and_of_a_whole_one_nothing_is_said() -> None:
    assert described(DrawnHead()).face_occluded is None
    cut = described(DrawnHead(center=(200, 350))).face_occluded
    assert cut is not None
    assert cut.value
    assert cut.confidence > 0.9


def test_the_members_as_json() -> None:
    said = described(DrawnHead()).to_dict()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert set(said) == {"face", "quality", "landmarks", "pose", "eyes_open", "mouth_open", "smile", "eye_direction"}


def test_the_largest_face_comes_first_and_faces_outside_the_picture_do_not_come(quiet: Settings) -> None:
    boxes = [Box(10, 10, 20, 20), Box(50, 50, 90, 90), Box(-80, 0, 60, 60), Box(200, 200, 40, 40)]
    faces = [FaceFound(box, 0.9 - index / 10, {}) for index, box in enumerate(boxes)]
    found = FaceDescriber(FakeDetector(faces)).describe(GREY)
    assert [details.face.box.width for details in found] == [90, 40, 20]
    assert FaceDescriber(FakeDetector(faces)).describe(GREY, at_least=0.85)[0].face.box.width == 20


def test_warming_reaches_every_model(quiet: Settings) -> None:
    head = DrawnHead()
    detector, mesher, eyes, classifier = FakeDetector(), DrawnMesher(head), DrawnEyes(head), FakeClassifier(EMOTIONS)
    describer = FaceDescriber(detector, mesher, eyes, Emotion(classifier, detector, quiet))
    describer.warm()
    assert [model.warmed for model in (detector, mesher, eyes, classifier)] == [1, 1, 1, 1]
    assert describer.models == (detector, mesher, eyes, classifier)


# -- quality


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(0, 256, (100, 100, 3), np.uint8)
    return cv2.resize(coarse, (400, 400), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("mesh", [None, DrawnHead().mesh])
def test_blurring_lowers_sharpness_alone_and_darkening_brightness_alone(noise: np.ndarray, mesh: Points | None) -> None:
    box = DrawnHead().found.box
    blurred = [face_quality(cv2.GaussianBlur(noise, (0, 0), sigma), box, mesh) for sigma in (0.5, 4, 8, 16)]
    sharpness = [quality.sharpness for quality in blurred]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > sharpness[-1] + 30
    darkened = [face_quality((noise * share).astype(np.uint8), box, mesh) for share in (1, 0.6, 0.3, 0)]
    brightness = [quality.brightness for quality in darkened]
    assert brightness == sorted(brightness, reverse=True)
    assert brightness[-1] == 0
    assert darkened[1].sharpness == pytest.approx(darkened[0].sharpness, abs=6)


def test_only_the_face_counts() -> None:
    head = DrawnHead(scale=10)
    pixels = np.zeros((400, 400, 3), np.uint8)
    cv2.fillConvexPoly(pixels, cv2.convexHull(head.mesh).round().astype(np.int32), (200, 200, 200))
    inside = face_quality(pixels, head.found.box, head.mesh).brightness
    assert inside == pytest.approx(80.6, abs=3)
    # Half of it outside the picture: what is there is no darker for it.
    half = face_quality(pixels[:, :200], head.found.box, head.mesh).brightness
    assert half == pytest.approx(80.6, abs=3)


@pytest.mark.parametrize("box", [Box(-500, -500, 20, 20), Box(390, 390, 0, 0), Box(0, 0, 1e6, 1e6)])
def test_any_box_has_a_quality(box: Box) -> None:
    quality = face_quality(GREY.pixels, box, None)
    assert 0 <= quality.brightness <= 100
    assert 0 <= quality.sharpness <= 100


def test_a_logistic_rule() -> None:
    rule = Logistic((2.0, -1.0), 0.5)
    assert rule(1, 2) == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert rule(1e9, 0) == pytest.approx(1)
    with pytest.raises(ValueError, match="argument 2"):
        rule(1)
