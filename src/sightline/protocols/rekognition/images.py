"""Operations on pictures alone: nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.images.colours import Colour, Look, Region, image_properties
from sightline.images.picture import Picture
from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.faces import Seen
from sightline.protocols.rekognition.faults import invalid
from sightline.protocols.rekognition.labels import general_labels
from sightline.protocols.rekognition.quality import reasons
from sightline.protocols.rekognition.validate import Members
from sightline.protocols.rekognition.wire import bounding_box, compared_face, face_detail, percent, relative_box

THRESHOLD = 80.0
"""The least similarity, 0..100, of a match, where a request names none."""
_COLOURS = 10


def detect_faces(call: Call, members: Members) -> Members:
    """The largest faces, at most 100, largest first, with the attributes asked for."""
    backend = call.backend
    attributes = frozenset(members.get("Attributes", ()))
    picture = backend.pictures.read(members["Image"]).picture
    seen = backend.faces.see(picture, attributes)
    return {"FaceDetails": [face_detail(face, picture, attributes) for face in seen]}


def compare_faces(call: Call, members: Members) -> Members:
    """The largest face of the source against the faces of the target. `Similarity` is the probability in percent
    that both are one person, if half of all compared pairs were (the curve on the model's card)."""
    backend = call.backend
    wanted = members.get("QualityFilter", "NONE")
    source = backend.pictures.read(members["SourceImage"], "SourceImage").picture
    target = backend.pictures.read(members["TargetImage"], "TargetImage").picture
    task = backend.faces.similarity
    one = next(_good(backend.faces.see(source), wanted), None)
    many = list(_good(backend.faces.see(target), wanted))
    if one is None or not many:
        raise invalid(
            f"there are no faces in {'SourceImage' if one is None else 'TargetImage'}; at least one is needed"
        )
    (anchor,) = backend.faces.embed(source, (one,))
    least = members.get("SimilarityThreshold", THRESHOLD)
    matches, others = [], []
    for face, vector in zip(many, backend.faces.embed(target, many), strict=True):
        similarity = percent(task.calibrated(task.embedder.distance(anchor, vector)))
        if similarity >= least:
            matches.append({"Similarity": similarity, "Face": compared_face(face, target)})
        else:
            others.append(compared_face(face, target))
    matches.sort(key=lambda match: float(str(match["Similarity"])), reverse=True)
    confidence = percent(one.details.face.confidence)
    return {
        "SourceImageFace": {"BoundingBox": bounding_box(relative_box(one, source)), "Confidence": confidence},
        "FaceMatches": matches,
        "UnmatchedFaces": others,
    }


def detect_labels(call: Call, members: Members) -> Members:
    """GENERAL_LABELS: the things that `detect` finds, with their boxes, the labels that `classify` gives where it is
    served, and their ancestors. IMAGE_PROPERTIES: dominant colours, brightness, sharpness and contrast; of foreground
    and background too where the task `background` is served, which tells people from what is behind them."""
    features = members.get("Features") or ["GENERAL_LABELS"]
    picture = call.backend.pictures.read(members["Image"]).picture
    reply: Members = {"Labels": []}
    if "GENERAL_LABELS" in features:
        reply = general_labels(call, picture, members)
    if "IMAGE_PROPERTIES" in features:
        reply["ImageProperties"] = _properties(call, picture, members)
    return reply


def _properties(call: Call, picture: Picture, members: Members) -> Members:
    settings = members.get("Settings", {}).get("ImageProperties", {})
    found = image_properties(picture.pixels, _mask(call, picture), settings.get("MaxDominantColors", _COLOURS))
    return {
        **_region(found.whole),
        "Foreground": None if found.foreground is None else _region(found.foreground),
        "Background": None if found.background is None else _region(found.background),
    }


def _good(faces: Iterable[Seen], quality_filter: str) -> Iterator[Seen]:
    return (face for face in faces if not reasons(face, quality_filter))


def _mask(call: Call, picture: Picture) -> npt.NDArray[np.float32] | None:
    tasks: Any = call.backend.runtime.tasks
    if "background" not in tasks:
        return None
    return np.asarray(tasks["background"].segmenter.mask(picture.pixels), np.float32)


def _region(region: Region) -> dict[str, Any]:
    return {"Quality": _look(region.look), "DominantColors": [_colour(colour) for colour in region.colours]}


def _look(look: Look) -> dict[str, float]:
    return {"Brightness": look.brightness, "Sharpness": look.sharpness, "Contrast": look.contrast}


def _colour(colour: Colour) -> dict[str, Any]:
    return {
        "Red": colour.red,
        "Green": colour.green,
        "Blue": colour.blue,
        "HexCode": colour.hex,
        "CSSColor": colour.css,
        "SimplifiedColor": colour.simple,
        "PixelPercent": percent(colour.share),
    }
