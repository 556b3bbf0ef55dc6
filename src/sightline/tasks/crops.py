"""How tasks take faces out of a picture: one place, so that all of them see the same face the same way."""

from __future__ import annotations

from sightline.architectures.base import FaceDetector, FaceFound, FaceMesher
from sightline.errors import NoFace
from sightline.images.picture import Picture

# A face this doubtful is looked at again; most of what is found here is none.
_DOUBTFUL = 0.3


def largest_face(
    detector: FaceDetector, mesher: FaceMesher | None, picture: Picture, name: str
) -> tuple[FaceFound, int]:
    """The face with the largest box, in decoded pixels, and how many faces there were.

    Where the detector is sure of none, its doubtful ones count if there is a mesh that is sure of them. Raises
    `NoFace` naming the picture.
    """
    faces = detector.detect(picture.pixels)
    if not faces and mesher is not None:
        doubtful = detector.detect(picture.pixels, _DOUBTFUL)
        least = mesher.card.threshold("score")
        faces = [face for face in doubtful if mesher.points(picture.pixels, face)[1] >= least]
    if not faces:
        raise NoFace(f"no face was found in {name}")
    return max(faces, key=lambda face: face.box.area), len(faces)
