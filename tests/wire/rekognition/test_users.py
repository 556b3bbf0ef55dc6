"""Users and the faces associated with them, asked by boto3."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

pytestmark = pytest.mark.models

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def indexed(rekognition: Any, collection: str, photo: Callable[[str], dict[str, bytes]]) -> dict[str, str]:
    """The face ids of three photos: two of one person, one of another."""
    ids = {}
    for name in ("obama", "obama2", "biden"):
        reply = rekognition.index_faces(CollectionId=collection, Image=photo(f"{name}.jpg"), ExternalImageId=name)
        ids[name] = reply["FaceRecords"][0]["Face"]["FaceId"]
    return ids


def test_the_life_of_a_user(rekognition: Any, collection: str, code: Callable[..., str]) -> None:
    who = {"CollectionId": collection, "UserId": "some:one_1"}
    rekognition.create_user(**who)
    assert rekognition.list_users(CollectionId=collection)["Users"] == [
        {"UserId": "some:one_1", "UserStatus": "CREATED"}
    ]
    assert rekognition.describe_collection(CollectionId=collection)["UserCount"] == 1
    assert code(rekognition.create_user, **who) == "ConflictException"
    rekognition.delete_user(**who)
    assert rekognition.list_users(CollectionId=collection)["Users"] == []
    assert code(rekognition.delete_user, **who) == "ResourceNotFoundException"
    assert code(rekognition.create_user, CollectionId="never", UserId="a") == "ResourceNotFoundException"


def test_a_repeated_request_is_done_once(rekognition: Any, collection: str, code: Callable[..., str]) -> None:
    made = {"CollectionId": collection, "UserId": "once", "ClientRequestToken": "token-1"}
    rekognition.create_user(**made)
    rekognition.create_user(**made)  # without the token this would be a conflict
    assert len(rekognition.list_users(CollectionId=collection)["Users"]) == 1
    other = {**made, "UserId": "twice"}
    assert code(rekognition.create_user, **other) == "IdempotentParameterMismatchException"


def test_users_come_in_pages(rekognition: Any, collection: str, code: Callable[..., str]) -> None:
    names = [f"user-{number}" for number in range(7)]
    for name in names:
        rekognition.create_user(CollectionId=collection, UserId=name)
    pages = rekognition.get_paginator("list_users").paginate(CollectionId=collection, PaginationConfig={"PageSize": 3})
    assert [user["UserId"] for page in pages for user in page["Users"]] == names
    wrong = {"CollectionId": collection, "NextToken": "no token"}
    assert code(rekognition.list_users, **wrong) == "InvalidPaginationTokenException"


def test_faces_become_a_users_and_are_given_back(
    rekognition: Any, collection: str, indexed: dict[str, str], code: Callable[..., str]
) -> None:
    who = {"CollectionId": collection, "UserId": "barack"}
    assert code(rekognition.associate_faces, **who, FaceIds=[indexed["obama"]]) == "ResourceNotFoundException"
    rekognition.create_user(**who)
    first = rekognition.associate_faces(**who, FaceIds=[indexed["obama"]])
    assert (first["AssociatedFaces"], first["UserStatus"]) == ([{"FaceId": indexed["obama"]}], "ACTIVE")

    more = rekognition.associate_faces(**who, FaceIds=[indexed["obama2"], indexed["biden"], NOWHERE])
    assert more["AssociatedFaces"] == [{"FaceId": indexed["obama2"]}]
    refused = {face["FaceId"]: face for face in more["UnsuccessfulFaceAssociations"]}
    assert refused[NOWHERE]["Reasons"] == ["FACE_NOT_FOUND"]
    assert refused[indexed["biden"]]["Reasons"] == ["LOW_MATCH_CONFIDENCE"]
    assert refused[indexed["biden"]]["Confidence"] < 75

    listed = rekognition.list_faces(CollectionId=collection, UserId="barack")["Faces"]
    assert {face["FaceId"] for face in listed} == {indexed["obama"], indexed["obama2"]}
    assert all(face["UserId"] == "barack" for face in listed)
    kept = rekognition.delete_faces(CollectionId=collection, FaceIds=[indexed["obama"]])
    assert kept["UnsuccessfulFaceDeletions"] == [
        {"FaceId": indexed["obama"], "UserId": "barack", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}
    ]

    back = rekognition.disassociate_faces(**who, FaceIds=[indexed["obama"], indexed["obama2"], NOWHERE])
    assert {face["FaceId"] for face in back["DisassociatedFaces"]} == {indexed["obama"], indexed["obama2"]}
    assert back["UnsuccessfulFaceDisassociations"] == [{"FaceId": NOWHERE, "Reasons": ["FACE_NOT_FOUND"]}]
    assert back["UserStatus"] == "CREATED"


def test_a_face_is_one_users(rekognition: Any, collection: str, indexed: dict[str, str]) -> None:
    for name in ("first", "second"):
        rekognition.create_user(CollectionId=collection, UserId=name)
    face = {"CollectionId": collection, "FaceIds": [indexed["biden"]]}
    rekognition.associate_faces(**face, UserId="first")
    for method, members in (
        (rekognition.associate_faces, "UnsuccessfulFaceAssociations"),
        (rekognition.disassociate_faces, "UnsuccessfulFaceDisassociations"),
    ):
        assert method(**face, UserId="second")[members] == [
            {"FaceId": indexed["biden"], "UserId": "first", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
        ]


def test_users_are_searched_for(
    rekognition: Any,
    collection: str,
    indexed: dict[str, str],
    photo: Callable[[str], dict[str, bytes]],
    code: Callable[..., str],
) -> None:
    for user, face in (("barack", "obama"), ("joe", "biden")):
        rekognition.create_user(CollectionId=collection, UserId=user)
        rekognition.associate_faces(CollectionId=collection, UserId=user, FaceIds=[indexed[face]])
    rekognition.create_user(CollectionId=collection, UserId="nobody")

    by_face = rekognition.search_users(CollectionId=collection, FaceId=indexed["obama2"])
    assert [match["User"] for match in by_face["UserMatches"]] == [{"UserId": "barack", "UserStatus": "ACTIVE"}]
    assert by_face["UserMatches"][0]["Similarity"] > 99
    assert by_face["SearchedFace"] == {"FaceId": indexed["obama2"]}
    assert "SearchedUser" not in by_face

    by_user = rekognition.search_users(CollectionId=collection, UserId="barack", UserMatchThreshold=0)
    assert [match["User"]["UserId"] for match in by_user["UserMatches"]] == ["joe"]
    assert by_user["SearchedUser"] == {"UserId": "barack"}
    # A user without faces is like nobody.
    assert rekognition.search_users(CollectionId=collection, UserId="nobody")["UserMatches"] == []

    by_picture = rekognition.search_users_by_image(CollectionId=collection, Image=photo("two_people.jpg"))
    assert [match["User"]["UserId"] for match in by_picture["UserMatches"]] == ["joe"]
    assert "BoundingBox" in by_picture["SearchedFace"]["FaceDetail"]
    assert [face["Reasons"] for face in by_picture["UnsearchedFaces"]] == [["FACE_NOT_LARGEST"]]

    assert code(rekognition.search_users, CollectionId=collection) == "InvalidParameterException"
    both = {"CollectionId": collection, "FaceId": NOWHERE, "UserId": "barack"}
    assert code(rekognition.search_users, **both) == "InvalidParameterException"
    assert code(rekognition.search_users, CollectionId=collection, UserId="never") == "ResourceNotFoundException"
    assert code(rekognition.search_users, CollectionId=collection, FaceId=NOWHERE) == "ResourceNotFoundException"


def test_nobody_is_found_in_a_photo_without_a_face(rekognition: Any, collection: str, nobody: dict[str, bytes]) -> None:
    reply = rekognition.search_users_by_image(CollectionId=collection, Image=nobody)
    assert reply["UserMatches"] == []
    assert "SearchedFace" not in reply


def test_a_user_is_full_with_a_hundred_faces(
    rekognition: Any,
    collection: str,
    face_crop: np.ndarray,
    encoded: Callable[..., dict[str, bytes]],
    code: Callable[..., str],
) -> None:
    image = encoded(face_crop)

    def index(number: int) -> str:
        reply = rekognition.index_faces(CollectionId=collection, Image=image, ExternalImageId=f"copy-{number}")
        return str(reply["FaceRecords"][0]["Face"]["FaceId"])

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(index, range(102)))
    who = {"CollectionId": collection, "UserId": "full"}
    rekognition.create_user(**who)
    rekognition.associate_faces(**who, FaceIds=ids[:99])
    reply = rekognition.associate_faces(**who, FaceIds=ids[99:101])
    assert len(reply["AssociatedFaces"]) == 1
    assert [face["Reasons"] for face in reply["UnsuccessfulFaceAssociations"]] == [[]]
    assert code(rekognition.associate_faces, **who, FaceIds=ids[101:]) == "ServiceQuotaExceededException"
