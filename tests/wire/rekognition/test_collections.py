"""Collections, their faces and their tags, asked by boto3."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("boto3", reason="boto3 is not installed")

pytestmark = pytest.mark.models

NOWHERE = "00000000-0000-4000-8000-000000000000"


def test_the_life_of_a_collection(rekognition: Any, code: Callable[..., str]) -> None:
    name = "Life_of.a-collection"
    made = rekognition.create_collection(CollectionId=name)
    arn = f"arn:aws:rekognition:eu-central-1:000000000000:collection/{name}"
    assert (made["StatusCode"], made["CollectionArn"]) == (200, arn)
    assert code(rekognition.create_collection, CollectionId=name) == "ResourceAlreadyExistsException"
    described = rekognition.describe_collection(CollectionId=name)
    assert (described["FaceCount"], described["UserCount"], described["CollectionARN"]) == (0, 0, arn)
    assert described["FaceModelVersion"] == made["FaceModelVersion"]
    age = datetime.datetime.now(datetime.UTC) - described["CreationTimestamp"]
    assert datetime.timedelta(seconds=-5) < age < datetime.timedelta(seconds=60)
    assert name in rekognition.list_collections()["CollectionIds"]
    assert rekognition.delete_collection(CollectionId=name)["StatusCode"] == 200
    assert name not in rekognition.list_collections()["CollectionIds"]
    for method in (rekognition.describe_collection, rekognition.delete_collection, rekognition.list_faces):
        assert code(method, CollectionId=name) == "ResourceNotFoundException"


def test_collections_come_in_pages(rekognition: Any, code: Callable[..., str]) -> None:
    names = [f"paged-{number}" for number in range(7)]
    for name in names:
        rekognition.create_collection(CollectionId=name)
    pages = list(rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 3}))
    listed = [name for page in pages for name in page["CollectionIds"]]
    assert set(names) <= set(listed)
    assert len(set(listed)) == len(listed)
    assert all(len(page["CollectionIds"]) == len(page["FaceModelVersions"]) <= 3 for page in pages)
    assert code(rekognition.list_collections, NextToken="no token") == "InvalidPaginationTokenException"
    for name in names:
        rekognition.delete_collection(CollectionId=name)


def test_the_same_picture_is_not_kept_twice(rekognition: Any, collection: str, astronaut: dict[str, bytes]) -> None:
    def index(**options: Any) -> str:
        (record,) = rekognition.index_faces(CollectionId=collection, Image=astronaut, **options)["FaceRecords"]
        return str(record["Face"]["FaceId"])

    first = index(ExternalImageId="one")
    assert index(ExternalImageId="one") == first
    assert index(ExternalImageId="two") != first
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 2


def test_what_is_indexed_is_listed(rekognition: Any, collection: str, astronaut: dict[str, bytes]) -> None:
    reply = rekognition.index_faces(CollectionId=collection, Image=astronaut, ExternalImageId="nasa:eileen.collins_1")
    (record,) = reply["FaceRecords"]
    assert reply["UnindexedFaces"] == []
    assert set(record["FaceDetail"]) == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
    (listed,) = rekognition.list_faces(CollectionId=collection)["Faces"]
    assert listed == record["Face"]
    assert listed["ExternalImageId"] == "nasa:eileen.collins_1"
    detected = rekognition.detect_faces(Image=astronaut)["FaceDetails"][0]["BoundingBox"]
    assert listed["BoundingBox"] == pytest.approx(detected)


def test_detection_attributes(rekognition: Any, collection: str, astronaut: dict[str, bytes]) -> None:
    (record,) = rekognition.index_faces(CollectionId=collection, Image=astronaut, DetectionAttributes=["ALL"])[
        "FaceRecords"
    ]
    assert {"Smile", "MouthOpen"} <= set(record["FaceDetail"])


def test_no_faces_are_indexed_from_a_photo_without(rekognition: Any, collection: str, nobody: dict[str, bytes]) -> None:
    reply = rekognition.index_faces(CollectionId=collection, Image=nobody)
    assert (reply["FaceRecords"], reply["UnindexedFaces"]) == ([], [])


def test_the_smallest_beyond_max_faces(
    rekognition: Any, collection: str, photo: Callable[[str], dict[str, bytes]]
) -> None:
    everybody = len(rekognition.detect_faces(Image=photo("scene_2007_007763.jpg"))["FaceDetails"])
    assert everybody > 3
    reply = rekognition.index_faces(
        CollectionId=collection, Image=photo("scene_2007_007763.jpg"), MaxFaces=3, QualityFilter="NONE"
    )
    assert (len(reply["FaceRecords"]), len(reply["UnindexedFaces"])) == (3, everybody - 3)
    assert all(face["Reasons"] == ["EXCEEDS_MAX_FACES"] for face in reply["UnindexedFaces"])

    def area(face: dict[str, Any]) -> float:
        return face["FaceDetail"]["BoundingBox"]["Width"] * face["FaceDetail"]["BoundingBox"]["Height"]

    assert min(map(area, reply["FaceRecords"])) >= max(map(area, reply["UnindexedFaces"]))
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 3


def test_bad_faces_are_left_out_with_reasons(
    rekognition: Any, collection: str, face_crop: np.ndarray, encoded: Callable[..., dict[str, bytes]]
) -> None:
    dark = encoded((face_crop * 0.12).astype(np.uint8), "PNG")
    found = rekognition.detect_faces(Image=dark)["FaceDetails"]
    assert len(found) == 1, "the picture has to be bright enough for its face to be found"
    reply = rekognition.index_faces(CollectionId=collection, Image=dark, QualityFilter="HIGH")
    assert reply["FaceRecords"] == []
    (left_out,) = reply["UnindexedFaces"]
    assert "LOW_BRIGHTNESS" in left_out["Reasons"]
    assert left_out["FaceDetail"]["BoundingBox"] == found[0]["BoundingBox"]
    kept = rekognition.index_faces(CollectionId=collection, Image=dark, QualityFilter="NONE")
    assert (len(kept["FaceRecords"]), kept["UnindexedFaces"]) == (1, [])


def test_faces_of_too_few_pixels_are_left_out_unless_asked_for(
    rekognition: Any, collection: str, portrait: np.ndarray, encoded: Callable[..., dict[str, bytes]]
) -> None:
    small = np.full((200, 200, 3), 128, np.uint8)
    small[20:100, 20:100] = np.asarray(Image.fromarray(portrait[:420, 50:470]).resize((80, 80), Image.Resampling.BOX))
    image = encoded(small, "PNG")
    (left_out,) = rekognition.index_faces(CollectionId=collection, Image=image)["UnindexedFaces"]
    assert "SMALL_BOUNDING_BOX" in left_out["Reasons"]
    assert len(rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="NONE")["FaceRecords"]) == 1


def test_faces_are_found_by_picture_and_by_id(
    rekognition: Any, collection: str, photo: Callable[[str], dict[str, bytes]], code: Callable[..., str]
) -> None:
    ids = {}
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg"):
        (record,) = rekognition.index_faces(CollectionId=collection, Image=photo(name), ExternalImageId=name)[
            "FaceRecords"
        ]
        ids[name] = record["Face"]["FaceId"]
    by_id = rekognition.search_faces(CollectionId=collection, FaceId=ids["obama.jpg"])
    assert by_id["SearchedFaceId"] == ids["obama.jpg"]
    (match,) = by_id["FaceMatches"]
    assert (match["Face"]["FaceId"], match["Face"]["ExternalImageId"]) == (ids["obama2.jpg"], "obama2.jpg")
    assert match["Similarity"] > 99

    by_picture = rekognition.search_faces_by_image(CollectionId=collection, Image=photo("obama.jpg"))
    assert [match["Face"]["FaceId"] for match in by_picture["FaceMatches"]] == [ids["obama.jpg"], ids["obama2.jpg"]]
    assert by_picture["FaceMatches"][0]["Similarity"] == pytest.approx(100)
    assert 0 < by_picture["SearchedFaceBoundingBox"]["Width"] < 1

    everyone = rekognition.search_faces_by_image(
        CollectionId=collection, Image=photo("obama.jpg"), FaceMatchThreshold=0
    )["FaceMatches"]
    similar = [match["Similarity"] for match in everyone]
    assert len(similar) == 3
    assert similar == sorted(similar, reverse=True)
    assert similar[2] < 10
    first = rekognition.search_faces_by_image(
        CollectionId=collection, Image=photo("obama.jpg"), FaceMatchThreshold=0, MaxFaces=1
    )
    assert first["FaceMatches"] == everyone[:1]
    assert code(rekognition.search_faces, CollectionId=collection, FaceId=NOWHERE) == "InvalidParameterException"


def test_the_largest_face_is_searched_for(
    rekognition: Any, collection: str, photo: Callable[[str], dict[str, bytes]]
) -> None:
    rekognition.index_faces(CollectionId=collection, Image=photo("biden.jpg"), ExternalImageId="biden.jpg")
    rekognition.index_faces(CollectionId=collection, Image=photo("obama.jpg"), ExternalImageId="obama.jpg")
    largest = rekognition.detect_faces(Image=photo("two_people.jpg"))["FaceDetails"][0]["BoundingBox"]
    found = rekognition.search_faces_by_image(CollectionId=collection, Image=photo("two_people.jpg"))
    assert found["SearchedFaceBoundingBox"] == largest
    assert [match["Face"]["ExternalImageId"] for match in found["FaceMatches"]] == ["biden.jpg"]


def test_searching_by_a_photo_without_a_face(
    rekognition: Any, collection: str, nobody: dict[str, bytes], code: Callable[..., str]
) -> None:
    asked = {"CollectionId": collection, "Image": nobody}
    assert code(rekognition.search_faces_by_image, **asked) == "InvalidParameterException"


def test_faces_are_deleted(rekognition: Any, collection: str, astronaut: dict[str, bytes]) -> None:
    (record,) = rekognition.index_faces(CollectionId=collection, Image=astronaut)["FaceRecords"]
    face_id = record["Face"]["FaceId"]
    reply = rekognition.delete_faces(CollectionId=collection, FaceIds=[face_id, NOWHERE])
    assert reply["DeletedFaces"] == [face_id]
    assert reply["UnsuccessfulFaceDeletions"] == [{"FaceId": NOWHERE, "Reasons": ["FACE_NOT_FOUND"]}]
    assert rekognition.list_faces(CollectionId=collection)["Faces"] == []
    found = rekognition.search_faces_by_image(CollectionId=collection, Image=astronaut, FaceMatchThreshold=0)
    assert found["FaceMatches"] == []


def test_faces_by_their_ids(rekognition: Any, collection: str, astronaut: dict[str, bytes]) -> None:
    ids = [
        rekognition.index_faces(CollectionId=collection, Image=astronaut, ExternalImageId=name)["FaceRecords"][0][
            "Face"
        ]["FaceId"]
        for name in "abc"
    ]
    listed = rekognition.list_faces(CollectionId=collection, FaceIds=[ids[2], ids[0], NOWHERE])["Faces"]
    assert {face["FaceId"] for face in listed} == {ids[0], ids[2]}


def test_four_thousand_ids_at_once(rekognition: Any, collection: str, code: Callable[..., str]) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(4097)]
    reply = rekognition.delete_faces(CollectionId=collection, FaceIds=ids[:4096])
    assert len(reply["UnsuccessfulFaceDeletions"]) == 4096
    arguments = {"CollectionId": collection, "FaceIds": ids}
    assert code(rekognition.delete_faces, **arguments) == "InvalidParameterException"


def test_two_hundred_at_once_lose_and_double_nothing(
    rekognition: Any,
    connect: Callable[..., Any],
    rekognition_url: str,
    collection: str,
    face_crop: np.ndarray,
    encoded: Callable[..., dict[str, bytes]],
) -> None:
    pictures = []
    for number in range(100):
        marked = face_crop.copy()
        marked[:4, : number + 1] = 255
        pictures.append((encoded(marked, "PNG"), f"picture-{number}"))
    many = connect(rekognition_url, max_pool_connections=200, retries={"max_attempts": 0})

    def index(picture: tuple[dict[str, bytes], str]) -> str:
        image, name = picture
        (record,) = many.index_faces(CollectionId=collection, Image=image, ExternalImageId=name)["FaceRecords"]
        return str(record["Face"]["FaceId"])

    with ThreadPoolExecutor(200) as pool:
        # Each picture twice: the second must get the face that the first made.
        answered = list(pool.map(index, pictures + pictures))
    assert answered[:100] == answered[100:]
    assert len(set(answered)) == 100
    pages = rekognition.get_paginator("list_faces").paginate(CollectionId=collection, PaginationConfig={"PageSize": 17})
    listed = [face["FaceId"] for page in pages for face in page["Faces"]]
    assert sorted(listed) == sorted(set(answered))
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 100


def test_tags(rekognition: Any, collection: str, code: Callable[..., str]) -> None:
    arn = rekognition.describe_collection(CollectionId=collection)["CollectionARN"]
    assert rekognition.list_tags_for_resource(ResourceArn=arn)["Tags"] == {}
    rekognition.tag_resource(ResourceArn=arn, Tags={"team": "security", "grüße": "東京 1"})
    rekognition.tag_resource(ResourceArn=arn, Tags={"team": "doors", "empty": ""})
    tags = {"team": "doors", "grüße": "東京 1", "empty": ""}
    assert rekognition.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags
    rekognition.untag_resource(ResourceArn=arn, TagKeys=["empty", "never there"])
    assert set(rekognition.list_tags_for_resource(ResourceArn=arn)["Tags"]) == {"team", "grüße"}
    many = {f"tag {number}": "" for number in range(199)}
    assert code(rekognition.tag_resource, ResourceArn=arn, Tags=many) == "ServiceQuotaExceededException"
    assert code(rekognition.tag_resource, ResourceArn=arn, Tags={"aws:mine": ""}) == "InvalidParameterException"


def test_a_collection_is_made_with_its_tags(rekognition: Any) -> None:
    made = rekognition.create_collection(CollectionId="tagged", Tags={"a": "b"})
    assert rekognition.list_tags_for_resource(ResourceArn=made["CollectionArn"])["Tags"] == {"a": "b"}
    rekognition.delete_collection(CollectionId="tagged")


@pytest.mark.parametrize(
    ("arn", "error"),
    [
        ("arn:aws:rekognition:eu-central-1:000000000000:collection/never", "ResourceNotFoundException"),
        ("arn:aws:rekognition:eu-central-1:123456789012:collection/never", "ResourceNotFoundException"),
        ("arn:aws:rekognition:eu-central-1:000000000000:project/never", "ResourceNotFoundException"),
        ("arn:aws:s3:eu-central-1:000000000000:collection/never", "InvalidParameterException"),
        ("twenty characters, no name", "InvalidParameterException"),
    ],
)
def test_tags_of_what_is_not_there(rekognition: Any, code: Callable[..., str], arn: str, error: str) -> None:
    assert code(rekognition.list_tags_for_resource, ResourceArn=arn) == error
    assert code(rekognition.tag_resource, ResourceArn=arn, Tags={"a": "b"}) == error
    assert code(rekognition.untag_resource, ResourceArn=arn, TagKeys=["a"]) == error


def test_collections_that_another_program_made(
    rekognition: Any, rekognition_store: str, collection: str, astronaut: dict[str, bytes], code: Callable[..., str]
) -> None:
    """The server and this test have one store. One collection keeps pictures; one is of a model that is not here."""
    from sightline.collections.base import EmbeddingModel
    from sightline.collections.open import open_store

    store = open_store(rekognition_store)
    made = store.collections.get(collection)
    store.collections.create("with-pictures", made.model, made.calibration, keep_pictures=True)
    store.collections.create("of-another-model", EmbeddingModel("other", "1", "0" * 64, 128), made.calibration)

    (record,) = rekognition.index_faces(CollectionId="with-pictures", Image=astronaut)["FaceRecords"]
    ((face_id, picture),) = store.pictures.each("with-pictures")
    assert face_id == record["Face"]["FaceId"]
    (kept,) = rekognition.detect_faces(Image={"Bytes": picture})["FaceDetails"]
    # The face with half of its size around it.
    assert kept["BoundingBox"]["Width"] == pytest.approx(0.5, abs=0.1)

    assert rekognition.describe_collection(CollectionId="of-another-model")["FaceModelVersion"] == "other-1"
    other = {"CollectionId": "of-another-model", "Image": astronaut}
    for method in (rekognition.index_faces, rekognition.search_faces_by_image, rekognition.search_users_by_image):
        assert code(method, **other) == "InvalidParameterException"
    for name in ("with-pictures", "of-another-model"):
        rekognition.delete_collection(CollectionId=name)
    store.close()
