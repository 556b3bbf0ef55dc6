"""Operations on collections and the faces in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sightline.collections.base import Collection, Embedding, FaceMatch, NewFace
from sightline.errors import FaceMissing
from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.faces import Seen, crop
from sightline.protocols.rekognition.faults import invalid
from sightline.protocols.rekognition.images import THRESHOLD
from sightline.protocols.rekognition.pictures import Loaded
from sightline.protocols.rekognition.quality import reasons
from sightline.protocols.rekognition.validate import Members
from sightline.protocols.rekognition.wire import (
    bounding_box,
    face_detail,
    model_version,
    percent,
    relative_box,
    stored_face,
)

PAGE = 1000
"""Entries of a page where a request names no number, or 0."""
FOUND = 80
"""Matches of a search where a request names no number."""


def create_collection(call: Call, members: Members) -> Members:
    """A new, empty collection of the server's embedding model."""
    faces = call.backend.faces
    made = call.backend.store.collections.create(
        members["CollectionId"], faces.model, faces.calibration, tags=members.get("Tags")
    )
    return {
        "StatusCode": 200,
        "CollectionArn": call.arn(made.collection_id),
        "FaceModelVersion": model_version(made),
    }


def describe_collection(call: Call, members: Members) -> Members:
    """What a collection holds, and since when."""
    found = call.backend.store.collections.get(members["CollectionId"])
    return {
        "FaceCount": found.faces,
        "UserCount": found.users,
        "FaceModelVersion": model_version(found),
        "CollectionARN": call.arn(found.collection_id),
        "CreationTimestamp": found.created,
    }


def list_collections(call: Call, members: Members) -> Members:
    """The collections that the caller's key may see, oldest first."""
    page = call.backend.store.collections.list(members.get("MaxResults") or PAGE, members.get("NextToken"))
    # Left out after paging: a page may be short, or empty with a token for the next.
    seen = [each for each in page.items if call.caller.key.may_see(each.collection_id)]
    return {
        "CollectionIds": [each.collection_id for each in seen],
        "FaceModelVersions": [model_version(each) for each in seen],
        "NextToken": page.next,
    }


def delete_collection(call: Call, members: Members) -> Members:
    """Remove a collection with all that is in it."""
    call.backend.store.collections.delete(members["CollectionId"])
    return {"StatusCode": 200}


def index_faces(call: Call, members: Members) -> Members:
    """Add the faces of a picture. Those that the filter refuses, and the smallest beyond MaxFaces, are told with their
    reasons and not kept."""
    backend = call.backend
    collection = call.collection(members["CollectionId"])
    attributes = frozenset(members.get("DetectionAttributes", ()))
    loaded = backend.pictures.read(members["Image"])
    seen = backend.faces.see(loaded.picture, attributes)
    kept, unindexed = _sort_out(seen, members.get("QualityFilter", "AUTO"), members.get("MaxFaces"))
    new = _new_faces(call, collection, loaded, kept, members.get("ExternalImageId"))
    stored = backend.store.faces.add(collection.collection_id, collection.model, new) if new else ()
    return {
        "FaceRecords": [
            {"Face": stored_face(face, collection), "FaceDetail": face_detail(one, loaded.picture, attributes)}
            for face, one in zip(stored, kept, strict=True)
        ],
        "FaceModelVersion": model_version(collection),
        "UnindexedFaces": [
            {"Reasons": why, "FaceDetail": face_detail(one, loaded.picture, attributes)} for one, why in unindexed
        ],
    }


def list_faces(call: Call, members: Members) -> Members:
    """The faces of a collection, oldest first: all, or those of a user, or those with these ids."""
    store, name = call.backend.store, members["CollectionId"]
    collection = store.collections.get(name)
    page = store.faces.list(
        name,
        members.get("MaxResults") or PAGE,
        members.get("NextToken"),
        user_id=members.get("UserId"),
        face_ids=members.get("FaceIds"),
    )
    return {
        "Faces": [stored_face(face, collection) for face in page.items],
        "NextToken": page.next,
        "FaceModelVersion": model_version(collection),
    }


def delete_faces(call: Call, members: Members) -> Members:
    """Remove faces; those that are not there, or belong to a user, are told with the reason."""
    outcome = call.backend.store.faces.delete(members["CollectionId"], members["FaceIds"])
    return {
        "DeletedFaces": list(outcome.done),
        "UnsuccessfulFaceDeletions": [
            {"FaceId": face.face_id, "UserId": face.user_id, "Reasons": [face.reason.value]} for face in outcome.refused
        ],
    }


def search_faces(call: Call, members: Members) -> Members:
    """The faces of a collection that are like one of it, most similar first, without that one."""
    store, name, face_id = call.backend.store, members["CollectionId"], members["FaceId"]
    collection = store.collections.get(name)
    try:
        embedding = store.faces.embedding(name, face_id)
    except FaceMissing:
        raise invalid("faceId was not found in the collection.") from None
    matches = _search(call, collection, embedding, members, besides=face_id)
    return {
        "SearchedFaceId": face_id,
        "FaceMatches": _matches(matches, collection),
        "FaceModelVersion": model_version(collection),
    }


def search_faces_by_image(call: Call, members: Members) -> Members:
    """The faces of a collection that are like the largest of a picture, most similar first."""
    backend = call.backend
    collection = call.collection(members["CollectionId"])
    picture = backend.pictures.read(members["Image"]).picture
    wanted = members.get("QualityFilter", "NONE")
    face = next((face for face in backend.faces.see(picture) if not reasons(face, wanted)), None)
    if face is None:
        raise invalid("There are no faces in the image. Should be at least 1.")
    (vector,) = backend.faces.embed(picture, (face,))
    matches = _search(call, collection, Embedding(vector, collection.model), members)
    return {
        "SearchedFaceBoundingBox": bounding_box(relative_box(face, picture)),
        "SearchedFaceConfidence": percent(face.details.face.confidence),
        "FaceMatches": _matches(matches, collection),
        "FaceModelVersion": model_version(collection),
    }


def _sort_out(
    seen: Iterable[Seen], quality_filter: str, most: int | None
) -> tuple[list[Seen], list[tuple[Seen, list[str]]]]:
    """The faces to keep, and the others with the reasons; both largest first."""
    kept: list[Seen] = []
    others: list[tuple[Seen, list[str]]] = []
    for face in seen:
        why = reasons(face, quality_filter)
        if not why and most is not None and len(kept) >= most:
            why = ["EXCEEDS_MAX_FACES"]
        if why:
            others.append((face, why))
        else:
            kept.append(face)
    return kept, others


def _new_faces(
    call: Call, collection: Collection, loaded: Loaded, kept: Sequence[Seen], external_image_id: str | None
) -> list[NewFace]:
    vectors = call.backend.faces.embed(loaded.picture, kept)
    return [
        NewFace(
            vector,
            loaded.image_id,
            relative_box(face, loaded.picture),
            face.details.face.confidence,
            external_image_id,
            picture=crop(loaded.picture, face) if collection.keep_pictures else None,
        )
        for face, vector in zip(kept, vectors, strict=True)
    ]


def _search(
    call: Call, collection: Collection, embedding: Embedding, members: Members, besides: str | None = None
) -> tuple[FaceMatch, ...]:
    within = collection.calibration.distance(members.get("FaceMatchThreshold", THRESHOLD))
    return call.backend.store.faces.search(
        collection.collection_id, embedding, members.get("MaxFaces", FOUND), within=within, besides=besides
    )


def _matches(matches: tuple[FaceMatch, ...], collection: Collection) -> list[dict[str, Any]]:
    return [
        {
            "Similarity": collection.calibration.similarity(match.distance),
            "Face": stored_face(match.face, collection),
        }
        for match in matches
    ]
