"""Operations on users: people, each known by the faces associated with them."""

from __future__ import annotations

import math
from typing import Any

from sightline.collections.base import Calibration, Collection, Embedding, Outcome, Reason, Refused, UserMatch
from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.faults import invalid
from sightline.protocols.rekognition.images import THRESHOLD
from sightline.protocols.rekognition.quality import reasons
from sightline.protocols.rekognition.validate import Members
from sightline.protocols.rekognition.wire import face_detail, model_version

PAGE = 100
"""Users of a page, and of a search, where a request names no number."""
ASSOCIATION_THRESHOLD = 75.0
"""The least similarity, 0..100, of a further face to its user, where a request names none."""


def create_user(call: Call, members: Members) -> Members:
    """A new user without faces."""
    users = call.backend.store.users
    users.create(members["CollectionId"], members["UserId"], token=members.get("ClientRequestToken"))
    return {}


def delete_user(call: Call, members: Members) -> Members:
    """Remove a user; their faces stay."""
    users = call.backend.store.users
    users.delete(members["CollectionId"], members["UserId"], token=members.get("ClientRequestToken"))
    return {}


def list_users(call: Call, members: Members) -> Members:
    """The users of a collection, oldest first."""
    page = call.backend.store.users.list(
        members["CollectionId"], members.get("MaxResults", PAGE), members.get("NextToken")
    )
    return {
        "Users": [{"UserId": user.user_id, "UserStatus": user.status.value} for user in page.items],
        "NextToken": page.next,
    }


def associate_faces(call: Call, members: Members) -> Members:
    """Make faces of a collection a user's."""
    store, name = call.backend.store, members["CollectionId"]
    calibration = store.collections.get(name).calibration
    outcome = store.users.associate(
        name,
        members["UserId"],
        members["FaceIds"],
        within=calibration.distance(members.get("UserMatchThreshold", ASSOCIATION_THRESHOLD)),
        token=members.get("ClientRequestToken"),
    )
    return {
        "AssociatedFaces": [{"FaceId": face_id} for face_id in outcome.done],
        "UnsuccessfulFaceAssociations": [_refused(face, calibration) for face in outcome.refused],
        "UserStatus": _status(outcome),
    }


def disassociate_faces(call: Call, members: Members) -> Members:
    """Undo AssociateFaces."""
    outcome = call.backend.store.users.disassociate(
        members["CollectionId"], members["UserId"], members["FaceIds"], token=members.get("ClientRequestToken")
    )
    return {
        "DisassociatedFaces": [{"FaceId": face_id} for face_id in outcome.done],
        "UnsuccessfulFaceDisassociations": [_refused(face) for face in outcome.refused],
        "UserStatus": _status(outcome),
    }


def search_users(call: Call, members: Members) -> Members:
    """The users who are like a face of the collection, or like another user, most similar first."""
    store, name = call.backend.store, members["CollectionId"]
    user_id, face_id = members.get("UserId"), members.get("FaceId")
    if (user_id is None) == (face_id is None):
        raise invalid("either a UserId or a FaceId is searched for")
    collection = store.collections.get(name)
    embedding = store.faces.embedding(name, face_id) if face_id else store.users.embedding(name, str(user_id))
    matches = () if embedding is None else _search(call, collection, embedding, members, besides=user_id)
    return {
        "UserMatches": _matches(matches, collection),
        "FaceModelVersion": model_version(collection),
        "SearchedFace": {"FaceId": face_id} if face_id else None,
        "SearchedUser": {"UserId": user_id} if user_id else None,
    }


def search_users_by_image(call: Call, members: Members) -> Members:
    """The users who are like the largest face of a picture, most similar first; nobody where there is no face."""
    backend = call.backend
    collection = call.collection(members["CollectionId"])
    picture = backend.pictures.read(members["Image"]).picture
    wanted = members.get("QualityFilter", "NONE")
    searched, others = None, []
    for face in backend.faces.see(picture):
        why = reasons(face, wanted)
        if searched is None and not why:
            searched = face
        else:
            others.append({"FaceDetails": face_detail(face, picture), "Reasons": why or ["FACE_NOT_LARGEST"]})
    matches: tuple[UserMatch, ...] = ()
    if searched is not None:
        (vector,) = backend.faces.embed(picture, (searched,))
        matches = _search(call, collection, Embedding(vector, collection.model), members)
    return {
        "UserMatches": _matches(matches, collection),
        "FaceModelVersion": model_version(collection),
        "SearchedFace": None if searched is None else {"FaceDetail": face_detail(searched, picture)},
        "UnsearchedFaces": others,
    }


def _search(
    call: Call, collection: Collection, embedding: Embedding, members: Members, besides: str | None = None
) -> tuple[UserMatch, ...]:
    within = collection.calibration.distance(members.get("UserMatchThreshold", THRESHOLD))
    return call.backend.store.users.search(
        collection.collection_id, embedding, members.get("MaxUsers", PAGE), within=within, besides=besides
    )


def _matches(matches: tuple[UserMatch, ...], collection: Collection) -> list[dict[str, Any]]:
    return [
        {
            "Similarity": collection.calibration.similarity(match.distance),
            "User": {"UserId": match.user.user_id, "UserStatus": match.user.status.value},
        }
        for match in matches
    ]


def _refused(face: Refused, calibration: Calibration | None = None) -> dict[str, Any]:
    # Rekognition has no word for a user who is full: such a face is told without a reason.
    named = face.reason is not Reason.USER_IS_FULL
    known = calibration is not None and face.distance is not None and math.isfinite(face.distance)
    return {
        "FaceId": face.face_id,
        "UserId": face.user_id,
        "Confidence": calibration.similarity(face.distance) if known else None,  # type: ignore[union-attr, arg-type]
        "Reasons": [face.reason.value] if named else [],
    }


def _status(outcome: Outcome) -> str | None:
    return None if outcome.status is None else outcome.status.value
