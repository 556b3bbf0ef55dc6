"""Faces in Rekognition's words: ratios of the picture instead of pixels, percent instead of shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sightline.collections.base import Collection, RelativeBox, StoredFace
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.protocols.rekognition.faces import DEFAULT, Attributes, Seen, wants
from sightline.tasks.details.types import Verdict

# By default these five; all that there are where ALL is asked for.
_FIVE = frozenset({"eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight"})
_EMOTIONS = {
    "angry": "ANGRY",
    "disgust": "DISGUSTED",
    "fear": "FEAR",
    "happy": "HAPPY",
    "sad": "SAD",
    "surprise": "SURPRISED",
    "neutral": "CALM",
}


def relative_box(seen: Seen, picture: Picture) -> RelativeBox:
    """The face's box as shares of the picture."""
    return share_of(seen.details.face.box, picture)


def share_of(box: Box, picture: Picture) -> RelativeBox:
    """A box in pixels of the picture as shares of its sides."""
    return RelativeBox(
        box.x / picture.width, box.y / picture.height, box.width / picture.width, box.height / picture.height
    )


def bounding_box(box: RelativeBox) -> dict[str, float]:
    """`BoundingBox`."""
    return {"Width": box.width, "Height": box.height, "Left": box.left, "Top": box.top}


def percent(share: float) -> float:
    """0..1 as 0..100."""
    return min(100.0, max(0.0, share * 100))


def compared_face(seen: Seen, picture: Picture) -> dict[str, Any]:
    """`ComparedFace`, and what `FaceDetail` always has: box, confidence, five landmarks, pose, quality."""
    return _members(seen, picture, _FIVE)


def face_detail(seen: Seen, picture: Picture, attributes: Attributes = DEFAULT) -> dict[str, Any]:
    """`FaceDetail`, with those of `attributes` that a model here answers."""
    details = seen.details
    members = _members(seen, picture, None if "ALL" in attributes else _FIVE)
    verdicts = {
        "Smile": ("SMILE", details.smile),
        "EyesOpen": ("EYES_OPEN", details.eyes_open),
        "MouthOpen": ("MOUTH_OPEN", details.mouth_open),
        "FaceOccluded": ("FACE_OCCLUDED", details.face_occluded),
    }
    for name, (attribute, verdict) in verdicts.items():
        if verdict is not None and wants(attributes, attribute):
            members[name] = _verdict(verdict)
    if details.emotions is not None and wants(attributes, "EMOTIONS"):
        members["Emotions"] = _emotions(details.emotions)
    gaze = details.eye_direction
    if gaze is not None and wants(attributes, "EYE_DIRECTION"):
        members["EyeDirection"] = {"Yaw": gaze.yaw, "Pitch": gaze.pitch, "Confidence": percent(gaze.confidence)}
    return members


def stored_face(face: StoredFace, collection: Collection) -> dict[str, Any]:
    """`Face`."""
    return {
        "FaceId": face.face_id,
        "BoundingBox": bounding_box(face.box),
        "ImageId": face.image_id,
        "ExternalImageId": face.external_image_id,
        "Confidence": percent(face.confidence),
        # A number with dots, as the model has it, and nothing where the card's version is none.
        "IndexFacesModelVersion": _numeric((face.model or collection.model).version),
        "UserId": face.user_id,
    }


def model_version(collection: Collection) -> str:
    """`FaceModelVersion`: the model of the collection's vectors."""
    return f"{collection.model.name}-{collection.model.version}"


def _members(seen: Seen, picture: Picture, landmarks: Iterable[str] | None) -> dict[str, Any]:
    details = seen.details
    kept = [point for point in details.landmarks if landmarks is None or point.type in landmarks]
    pose = details.pose
    return {
        "BoundingBox": bounding_box(relative_box(seen, picture)),
        "Confidence": percent(details.face.confidence),
        "Landmarks": [
            {"Type": point.type, "X": point.x / picture.width, "Y": point.y / picture.height} for point in kept
        ]
        or None,
        "Pose": None if pose is None else {"Roll": pose.roll, "Yaw": pose.yaw, "Pitch": pose.pitch},
        "Quality": {"Brightness": details.quality.brightness, "Sharpness": details.quality.sharpness},
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"Value": verdict.value, "Confidence": percent(verdict.confidence)}


def _emotions(scores: dict[str, float]) -> list[dict[str, Any]]:
    """Most confident first."""
    ranked = sorted(scores.items(), key=lambda item: item[1], reverse=True)
    return [{"Type": _EMOTIONS[name], "Confidence": percent(score)} for name, score in ranked]


def _numeric(version: str) -> str | None:
    return version if version and all(character in "0123456789." for character in version) else None
