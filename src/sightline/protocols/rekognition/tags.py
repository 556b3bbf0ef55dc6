"""Operations on tags, which only collections have here."""

from __future__ import annotations

from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.validate import Members


def tag_resource(call: Call, members: Members) -> Members:
    """Add tags, replacing those of the same keys."""
    call.backend.store.collections.tag(call.collection_of(members["ResourceArn"]), members["Tags"])
    return {}


def untag_resource(call: Call, members: Members) -> Members:
    """Remove tags by their keys."""
    call.backend.store.collections.untag(call.collection_of(members["ResourceArn"]), members["TagKeys"])
    return {}


def list_tags_for_resource(call: Call, members: Members) -> Members:
    """A collection's tags."""
    return {"Tags": dict(call.backend.store.collections.get(call.collection_of(members["ResourceArn"])).tags)}
