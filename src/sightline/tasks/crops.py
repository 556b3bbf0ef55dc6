"""How tasks take faces out of a picture: one place, so that all of them see the same face the same way."""

from __future__ import annotations

from sightline.architectures.base import FaceDetector, FaceFound, FaceMesher
from sightline.errors import NoFace
from sightline.images.picture import Picture

# A face this doubtful is looked at again; most of what is found here is none.
_DOUBTFUL = 0.3


def find_faces(detector: FaceDetector, mesher: FaceMesher | None, picture: Picture) -> list[FaceFound]:
    """Every face, in decoded pixels. Where the detector is sure of none, its doubtful ones count if there is a mesh
    that is sure of them."""
    faces = detector.detect(picture.pixels)
    if faces or mesher is None:
        return faces
    least = mesher.card.threshold("score")
    doubtful = detector.detect(picture.pixels, _DOUBTFUL)
    return [face for face in doubtful if mesher.points(picture.pixels, face)[1] >= least]


def largest_face(
    detector: FaceDetector, mesher: FaceMesher | None, picture: Picture, name: str
) -> tuple[FaceFound, int]:
    """Of `find_faces` the one with the largest box, and how many there are. Raises `NoFace` naming the picture."""
    faces = find_faces(detector, mesher, picture)
    if not faces:
        raise NoFace(f"no face was found in {name}")
    return max(faces, key=lambda face: face.box.area), len(faces)
