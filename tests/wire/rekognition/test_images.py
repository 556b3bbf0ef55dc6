"""DetectFaces, CompareFaces and DetectLabels, asked by boto3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.protocols.rekognition import taxonomy

pytest.importorskip("boto3", reason="boto3 is not installed")

pytestmark = pytest.mark.models

FIVE = {"eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight"}
# What no model here answers.
UNKNOWN = {"AgeRange", "Gender", "Beard", "Mustache", "Eyeglasses", "Sunglasses"}
DEFAULT = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


def test_a_face_is_found_where_it_is(rekognition: Any, astronaut: dict[str, bytes]) -> None:
    (face,) = rekognition.detect_faces(Image=astronaut)["FaceDetails"]
    assert set(face) == DEFAULT
    box = face["BoundingBox"]
    # The face of the portrait lies at about (225, 115) of 512 x 512 pixels and is about 105 wide.
    assert box["Left"] + box["Width"] / 2 == pytest.approx(225 / 512, abs=0.04)
    assert box["Top"] + box["Height"] / 2 == pytest.approx(120 / 512, abs=0.06)
    assert 0.12 < box["Width"] < 0.3
    assert 50 < face["Confidence"] <= 100
    points = {point["Type"]: (point["X"], point["Y"]) for point in face["Landmarks"]}
    assert set(points) == FIVE
    # Left is the picture's left.
    assert points["eyeLeft"][0] < points["nose"][0] < points["eyeRight"][0]
    assert points["eyeLeft"][1] < points["nose"][1] < points["mouthLeft"][1]
    assert all(abs(face["Pose"][axis]) < 30 for axis in ("Roll", "Yaw", "Pitch"))


def test_all_attributes(rekognition: Any, astronaut: dict[str, bytes]) -> None:
    (face,) = rekognition.detect_faces(Image=astronaut, Attributes=["ALL"])["FaceDetails"]
    assert set(face) > DEFAULT
    assert not UNKNOWN & set(face)
    assert len({point["Type"] for point in face["Landmarks"]}) >= 28
    assert face["Smile"]["Value"] is True
    if "Emotions" in face:
        assert sum(emotion["Confidence"] for emotion in face["Emotions"]) == pytest.approx(100, abs=0.01)
        ranked = [emotion["Confidence"] for emotion in face["Emotions"]]
        assert ranked == sorted(ranked, reverse=True)
        assert face["Emotions"][0]["Type"] == "HAPPY"


@pytest.mark.parametrize(
    ("attributes", "more"),
    [(["SMILE"], {"Smile"}), (["DEFAULT", "MOUTH_OPEN"], {"MouthOpen"}), (["GENDER"], set()), ([], set())],
)
def test_single_attributes(
    rekognition: Any, astronaut: dict[str, bytes], attributes: list[str], more: set[str]
) -> None:
    (face,) = rekognition.detect_faces(Image=astronaut, Attributes=attributes)["FaceDetails"]
    assert set(face) == DEFAULT | more
    assert {point["Type"] for point in face["Landmarks"]} == FIVE


def test_no_faces(rekognition: Any, nobody: dict[str, bytes]) -> None:
    assert rekognition.detect_faces(Image=nobody)["FaceDetails"] == []


def test_a_photo_turned_by_its_exif_has_the_same_face(
    rekognition: Any, portrait: np.ndarray, astronaut: dict[str, bytes], encoded: Callable[..., dict[str, bytes]]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned to the left: to be shown turned to the right
    lying = encoded(np.rot90(portrait), exif=exif)
    (upright,) = rekognition.detect_faces(Image=astronaut)["FaceDetails"]
    (turned,) = rekognition.detect_faces(Image=lying)["FaceDetails"]
    for side in ("Left", "Top", "Width", "Height"):
        assert turned["BoundingBox"][side] == pytest.approx(upright["BoundingBox"][side], abs=0.02)


def test_png_as_well(rekognition: Any, portrait: np.ndarray, encoded: Callable[..., dict[str, bytes]]) -> None:
    assert len(rekognition.detect_faces(Image=encoded(portrait, "PNG"))["FaceDetails"]) == 1


def test_the_largest_hundred_faces_largest_first(
    rekognition: Any, face_crop: np.ndarray, encoded: Callable[..., dict[str, bytes]]
) -> None:
    small = np.asarray(Image.fromarray(face_crop).resize((100, 100)))
    crowd = np.tile(small, (11, 10, 1))
    crowd[:160, :160] = face_crop
    faces = rekognition.detect_faces(Image=encoded(crowd))["FaceDetails"]
    areas = [face["BoundingBox"]["Width"] * face["BoundingBox"]["Height"] for face in faces]
    assert areas == sorted(areas, reverse=True)
    assert 60 < len(faces) <= 100


def test_compare_one_person_with_themselves(
    rekognition: Any, astronaut: dict[str, bytes], face_crop: np.ndarray, encoded: Callable[..., dict[str, bytes]]
) -> None:
    reply = rekognition.compare_faces(SourceImage=astronaut, TargetImage=encoded(face_crop[:, ::-1]))
    (match,) = reply["FaceMatches"]
    assert match["Similarity"] > 99
    assert set(match["Face"]) == DEFAULT
    assert reply["UnmatchedFaces"] == []
    assert set(reply["SourceImageFace"]) == {"BoundingBox", "Confidence"}


def test_compare_two_people(rekognition: Any, photo: Callable[[str], dict[str, bytes]]) -> None:
    one, other, both = photo("obama.jpg"), photo("biden.jpg"), photo("two_people.jpg")
    apart = rekognition.compare_faces(SourceImage=one, TargetImage=other)
    assert (apart["FaceMatches"], len(apart["UnmatchedFaces"])) == ([], 1)
    first = rekognition.compare_faces(SourceImage=one, TargetImage=both)
    second = rekognition.compare_faces(SourceImage=other, TargetImage=both)
    assert [len(first[members]) for members in ("FaceMatches", "UnmatchedFaces")] == [1, 1]
    # Each is the other's unmatched face.
    assert first["FaceMatches"][0]["Face"]["BoundingBox"] == second["UnmatchedFaces"][0]["BoundingBox"]
    everyone = rekognition.compare_faces(SourceImage=one, TargetImage=both, SimilarityThreshold=0)
    similar = [match["Similarity"] for match in everyone["FaceMatches"]]
    assert len(similar) == 2
    assert similar == sorted(similar, reverse=True)
    assert similar[0] > 99
    assert similar[1] < 10


def test_compare_needs_a_face_on_both_sides(
    rekognition: Any, astronaut: dict[str, bytes], nobody: dict[str, bytes], code: Callable[..., str]
) -> None:
    for source, target in ((astronaut, nobody), (nobody, astronaut)):
        assert code(rekognition.compare_faces, SourceImage=source, TargetImage=target) == "InvalidParameterException"


def test_image_properties(rekognition: Any, encoded: Callable[..., dict[str, bytes]]) -> None:
    halves = np.zeros((200, 300, 3), np.uint8)
    halves[:, :200], halves[:, 200:] = (255, 0, 0), (0, 0, 255)
    reply = rekognition.detect_labels(Image=encoded(halves, "PNG"), Features=["IMAGE_PROPERTIES"])
    assert reply["Labels"] == []
    red, blue = reply["ImageProperties"]["DominantColors"][:2]
    assert (red["CSSColor"], blue["CSSColor"]) == ("red", "blue")
    assert (red["Red"], red["Green"], red["Blue"], red["HexCode"]) == (255, 0, 0, "#ff0000")
    assert red["PixelPercent"] == pytest.approx(200 / 3, abs=1)
    assert blue["PixelPercent"] == pytest.approx(100 / 3, abs=1)
    assert set(reply["ImageProperties"]["Quality"]) == {"Brightness", "Sharpness", "Contrast"}


def test_people_stand_before_a_background(rekognition: Any, astronaut: dict[str, bytes]) -> None:
    reply = rekognition.detect_labels(
        Image=astronaut, Features=["IMAGE_PROPERTIES"], Settings={"ImageProperties": {"MaxDominantColors": 3}}
    )
    properties = reply["ImageProperties"]
    assert {"Foreground", "Background"} <= set(properties)
    assert len(properties["DominantColors"]) <= 3


@pytest.fixture(scope="module")
def dogs(shared: Path) -> dict[str, bytes]:
    """A photo of people and dogs."""
    return {"Bytes": (shared / "photos" / "scene_dogs.jpg").read_bytes()}


def labels(reply: Any) -> dict[str, Any]:
    return {label["Name"]: label for label in reply["Labels"]}


@pytest.mark.parametrize("features", [None, ["GENERAL_LABELS"], []])
def test_labels_have_boxes_ancestors_and_categories(
    rekognition: Any, dogs: dict[str, bytes], features: list[str] | None
) -> None:
    asked = {} if features is None else {"Features": features}
    reply = rekognition.detect_labels(Image=dogs, MinConfidence=30, **asked)
    found = labels(reply)
    dog = found["Dog"]
    assert [parent["Name"] for parent in dog["Parents"]] == ["Pet", "Canine", "Mammal", "Animal"]
    assert dog["Categories"] == [{"Name": "Animals and Pets"}]
    assert dog["Instances"]
    for instance in dog["Instances"]:
        box = instance["BoundingBox"]
        assert box["Left"] >= 0
        assert box["Left"] + box["Width"] <= 1.001
        assert 30 <= instance["Confidence"] <= dog["Confidence"]
    assert found["Animal"]["Instances"] == []
    assert found["Animal"]["Confidence"] == pytest.approx(dog["Confidence"])
    order = [label["Confidence"] for label in reply["Labels"]]
    assert order == sorted(order, reverse=True)
    assert reply["LabelModelVersion"].startswith("centernet")
    assert "ImageProperties" not in reply


def test_labels_are_filtered(rekognition: Any, dogs: dict[str, bytes]) -> None:
    def ask(**filters: Any) -> set[str]:
        settings = {"GeneralLabels": {name: value for name, value in filters.items() if name[0] == "L"}}
        rest = {name: value for name, value in filters.items() if name[0] != "L"}
        return set(labels(rekognition.detect_labels(Image=dogs, Settings=settings, **{"MinConfidence": 30, **rest})))

    everything = ask()
    assert {"Dog", "Animal"} <= everything
    assert ask(LabelInclusionFilters=["Dog"]) == {"Dog"}
    assert ask(LabelExclusionFilters=["Dog"]) == everything - {"Dog"}
    assert "Dog" not in ask(LabelCategoryExclusionFilters=["Animals and Pets"])
    assert ask(LabelCategoryInclusionFilters=["Animals and Pets"]) <= everything
    assert ask(LabelInclusionFilters=["Dog"], LabelCategoryExclusionFilters=["Animals and Pets"]) == set()
    assert len(ask(MaxLabels=1)) == 1
    assert ask(MinConfidence=100) == set()


def test_labels_and_properties_together(rekognition: Any, dogs: dict[str, bytes]) -> None:
    reply = rekognition.detect_labels(Image=dogs, MinConfidence=30, Features=["GENERAL_LABELS", "IMAGE_PROPERTIES"])
    assert reply["Labels"]
    assert reply["ImageProperties"]["DominantColors"]


def test_every_ancestor_is_a_label_with_a_category() -> None:
    for found in taxonomy.TERMS.values():
        assert taxonomy.category(found.name) == found.category
        assert all(taxonomy.category(parent) for parent in found.parents)
    assert len(taxonomy.TERMS) == 80
    assert taxonomy.term("blue mug") == taxonomy.Term("Blue Mug")
