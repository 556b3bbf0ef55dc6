"""Details of real faces: what turning, mirroring and scaling do, and directions that were looked at by eye."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.images.decode import read
from sightline.images.encode import encode
from sightline.images.picture import Picture
from sightline.tasks.details.landmarks import DEFAULT, MESH
from sightline.tasks.face_details import FaceDescriber, FaceDetails, load_describer

LABELS = Path(__file__).parents[3] / "benchmarks" / "face_labels.csv"


def points(details: FaceDetails) -> dict[str, tuple[float, float]]:
    return {landmark.type: (landmark.x, landmark.y) for landmark in details.landmarks}


@pytest.fixture(scope="module")
def describer() -> FaceDescriber:
    return load_describer()


def alone(describer: FaceDescriber, pixels: np.ndarray) -> FaceDetails:
    found = describer.describe(Picture.of(pixels))
    assert found
    return found[0]


@pytest.mark.models
def test_a_smiling_astronaut_with_open_eyes(describer: FaceDescriber, portrait: np.ndarray) -> None:
    details = alone(describer, portrait)
    assert set(points(details)) == {*MESH, "leftPupil", "rightPupil"}
    for name in ("eyes_open", "mouth_open", "smile"):
        verdict = getattr(details, name)
        assert verdict is not None, name
        assert verdict.value, name
        assert verdict.confidence > 0.8, name
    assert details.face_occluded is None
    assert details.pose is not None
    assert details.eye_direction is not None
    assert abs(details.pose.yaw) < 10
    assert abs(details.eye_direction.yaw) < 10
    assert 0 < details.quality.sharpness <= 100


@pytest.mark.models
@pytest.mark.parametrize("angle", [-40, -15, 15, 40])
def test_turning_the_picture_turns_the_roll_alone(describer: FaceDescriber, portrait: np.ndarray, angle: float) -> None:
    before = alone(describer, portrait).pose
    around = cv2.getRotationMatrix2D((225, 120), -angle, 1.0)
    after = alone(describer, cv2.warpAffine(portrait, around, (512, 512), borderMode=cv2.BORDER_REPLICATE)).pose
    assert before is not None
    assert after is not None
    assert after.roll - before.roll == pytest.approx(angle, abs=2.5)
    assert (after.yaw, after.pitch) == pytest.approx((before.yaw, before.pitch), abs=4)


@pytest.mark.models
def test_a_mirrored_picture_has_yaw_roll_and_gaze_of_the_other_sign(
    describer: FaceDescriber, portrait: np.ndarray
) -> None:
    here, there = alone(describer, portrait), alone(describer, np.ascontiguousarray(portrait[:, ::-1]))
    assert here.pose is not None
    assert there.pose is not None
    assert (there.pose.roll, there.pose.yaw) == pytest.approx((-here.pose.roll, -here.pose.yaw), abs=2.5)
    assert there.pose.pitch == pytest.approx(here.pose.pitch, abs=3)
    assert here.eye_direction is not None
    assert there.eye_direction is not None
    assert there.eye_direction.yaw == pytest.approx(-here.eye_direction.yaw, abs=3)
    at, mirrored = points(here), points(there)
    for name in ("eyeLeft", "mouthLeft", "leftPupil", "upperJawlineLeft", "leftEyeBrowUp"):
        other = name.replace("Left", "Right").replace("left", "right")
        x, y = mirrored[other]
        assert (512 - x, y) == pytest.approx(at[name], abs=5), name


@pytest.mark.models
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_size_of_the_picture_changes_nothing_but_coordinates(
    describer: FaceDescriber, portrait: np.ndarray, scale: float
) -> None:
    here = alone(describer, portrait)
    there = alone(describer, cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    assert here.pose is not None
    assert there.pose is not None
    assert (there.pose.roll, there.pose.yaw, there.pose.pitch) == pytest.approx(
        (here.pose.roll, here.pose.yaw, here.pose.pitch), abs=3
    )
    for name in ("eyes_open", "mouth_open", "smile"):
        assert getattr(here, name).value == getattr(there, name).value
    assert there.quality.brightness == pytest.approx(here.quality.brightness, abs=2)
    for name, (x, y) in points(there).items():
        assert (x / scale, y / scale) == pytest.approx(points(here)[name], abs=5), name


@pytest.mark.models
def test_a_picture_decoded_at_half_its_size_is_described_in_its_own_pixels(
    describer: FaceDescriber, portrait: np.ndarray
) -> None:
    large = encode(Image.fromarray(cv2.resize(portrait, (2048, 2048), interpolation=cv2.INTER_CUBIC)), "JPEG")
    reduced = read(large, enough=1000)
    assert reduced.reduced
    whole, half = (points(describer.describe(picture)[0]) for picture in (read(large), reduced))
    for name in DEFAULT:
        assert half[name] == pytest.approx(whole[name], abs=12), name


# Seen by eye before they were measured: the side to which the face, or the eyes in it, look.
TO_THE_LEFT = ["Laura_Bush_0011", "Phil_Gramm_0002", "Jiang_Zemin_0007", "Stephen_Silas_0001"]
TO_THE_RIGHT = ["Hamid_Karzai_0019", "Atsushi_Sato_0001", "Joaquin_Phoenix_0001", "Coco_dEste_0001"]
DOWN = ["Tatiana_Shchegoleva_0001", "Jorge_Moreno_0001", "Dick_Latessa_0002"]
UP = ["Tatiana_Gratcheva_0001", "Adolfo_Rodriguez_Saa_0002", "Ernie_Stewart_0001", "Kenneth_Carlsen_0001"]
EYES_TO_THE_LEFT = ["Mikhail_Kasyanov_0001", "Padraig_Harrington_0001", "Stan_Kroenke_0001"]
EYES_TO_THE_RIGHT = ["Marco_Pantani_0001", "Noelle_Bush_0003"]


@pytest.mark.models
@pytest.mark.parametrize(
    ("names", "angle", "sign"),
    [(TO_THE_LEFT, "yaw", -1), (TO_THE_RIGHT, "yaw", 1), (DOWN, "pitch", -1), (UP, "pitch", 1)],
)
def test_people_who_look_aside_up_and_down(
    describer: FaceDescriber, shared: Path, names: list[str], angle: str, sign: int
) -> None:
    for name in names:
        details = alone(describer, read(shared / "faces/lfw_150" / f"{name}.jpg").pixels)
        assert details.pose is not None
        assert getattr(details.pose, angle) * sign > 15, name


@pytest.mark.models
@pytest.mark.parametrize(("names", "sign"), [(EYES_TO_THE_LEFT, -1), (EYES_TO_THE_RIGHT, 1)])
def test_people_whose_eyes_look_aside(describer: FaceDescriber, shared: Path, names: list[str], sign: int) -> None:
    for name in names:
        details = alone(describer, read(shared / "faces/lfw_150" / f"{name}.jpg").pixels)
        assert details.eye_direction is not None, name
        assert details.eye_direction.yaw * sign > 12, name


@pytest.mark.models
@pytest.mark.parametrize(("column", "member"), [("eyes", "eyes_open"), ("mouth", "mouth_open")])
def test_eyes_and_mouths_that_were_looked_at(describer: FaceDescriber, shared: Path, column: str, member: str) -> None:
    with LABELS.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row[column] and row["file"].startswith("lfw_150/")]
    labelled = [(row["file"], row[column] == "open") for row in rows]
    for truth in (True, False):
        names = [name for name, is_open in labelled if is_open is truth][:40]
        said = [getattr(alone(describer, read(shared / "faces" / name).pixels), member) for name in names]
        answered = [verdict for verdict in said if verdict is not None]
        assert len(answered) >= 35
        assert np.mean([verdict.value is truth for verdict in answered]) >= 0.7
