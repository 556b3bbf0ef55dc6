"""The operations that work here. Every other one of the service model answers that it is not implemented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sightline.protocols.rekognition import collections, images, tags, users
from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.validate import Members


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers an operation. `note`: where the answer differs from Rekognition's own."""

    answer: Callable[[Call, Members], Members]
    writes: bool = False
    note: str = ""


_NO_MODEL = (
    "AgeRange, Gender, Beard, Mustache, Eyeglasses and Sunglasses are left out, and CONFUSED among the emotions: no "
    "model here answers them"
)
_CALIBRATED = "Similarity is the collection's calibrated score"

HANDLERS: Mapping[str, Handler] = {
    "DetectFaces": Handler(images.detect_faces, note=_NO_MODEL),
    "CompareFaces": Handler(
        images.compare_faces,
        note="Emotions and Smile of the compared faces are left out",
    ),
    "DetectLabels": Handler(
        images.detect_labels,
        note="80 kinds of things and their ancestors, no scenes; no Aliases, no DominantColors of instances",
    ),
    "CreateCollection": Handler(collections.create_collection, writes=True),
    "DescribeCollection": Handler(collections.describe_collection),
    "ListCollections": Handler(collections.list_collections),
    "DeleteCollection": Handler(collections.delete_collection, writes=True),
    "IndexFaces": Handler(
        collections.index_faces,
        writes=True,
        note="the bars of QualityFilter are this project's own; FaceDetail as DetectFaces",
    ),
    "ListFaces": Handler(collections.list_faces),
    "DeleteFaces": Handler(collections.delete_faces, writes=True),
    "SearchFaces": Handler(collections.search_faces, note=_CALIBRATED),
    "SearchFacesByImage": Handler(collections.search_faces_by_image, note=_CALIBRATED),
    "CreateUser": Handler(users.create_user, writes=True),
    "DeleteUser": Handler(users.delete_user, writes=True),
    "ListUsers": Handler(users.list_users),
    "AssociateFaces": Handler(
        users.associate_faces, writes=True, note="is done when it answers: UserStatus is never UPDATING"
    ),
    "DisassociateFaces": Handler(users.disassociate_faces, writes=True),
    "SearchUsers": Handler(users.search_users, note=_CALIBRATED),
    "SearchUsersByImage": Handler(users.search_users_by_image, note=_CALIBRATED),
    "TagResource": Handler(tags.tag_resource, writes=True),
    "UntagResource": Handler(tags.untag_resource, writes=True),
    "ListTagsForResource": Handler(tags.list_tags_for_resource),
}
