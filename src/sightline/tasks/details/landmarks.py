"""Rekognition's thirty landmarks from the points of a face mesh.

Left and right are the picture's: `eyeLeft` is the eye at the picture's left of an upright face, which is the person's
own right eye. (Elsewhere in Sightline left and right are the person's own.)
"""

from __future__ import annotations

import numpy as np

from sightline.architectures.iris import EyeFound
from sightline.images.geometry import Points

DEFAULT = ("eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose")
"""What DetectFaces gives unless all attributes are asked for."""

# Which mesh points each landmark is the mean of; the order is that of the service's model.
MESH: dict[str, tuple[int, ...]] = {
    "eyeLeft": (33, 133, 159, 145),
    "eyeRight": (362, 263, 386, 374),
    "nose": (1,),
    "mouthLeft": (61,),
    "mouthRight": (291,),
    "leftEyeBrowLeft": (70, 46),
    "leftEyeBrowRight": (107, 55),
    "leftEyeBrowUp": (105,),
    "rightEyeBrowLeft": (336, 285),
    "rightEyeBrowRight": (300, 276),
    "rightEyeBrowUp": (334,),
    "leftEyeLeft": (33,),
    "leftEyeRight": (133,),
    "leftEyeUp": (159,),
    "leftEyeDown": (145,),
    "rightEyeLeft": (362,),
    "rightEyeRight": (263,),
    "rightEyeUp": (386,),
    "rightEyeDown": (374,),
    "noseLeft": (98,),
    "noseRight": (327,),
    "mouthUp": (0,),
    "mouthDown": (17,),
    "upperJawlineLeft": (127,),
    "midJawlineLeft": (58,),
    "chinBottom": (152,),
    "midJawlineRight": (288,),
    "upperJawlineRight": (356,),
}

# Points of an eye's outline: corners, upper and lower lid. The outer corner lies at the outer side of either eye.
_LEFT_EYE = {"Left": 0, "Right": 8, "Up": 12, "Down": 4}
_RIGHT_EYE = {"Left": 8, "Right": 0, "Up": 12, "Down": 4}


def place(mesh: Points, eyes: tuple[EyeFound, EyeFound] | None) -> dict[str, tuple[float, float]]:
    """The landmarks by name, in the frame of `mesh` (468 x 2). With `eyes` (left of the picture first) the eyes' own
    points are those of the iris network, and the pupils are among them; the mesh knows no pupils."""
    placed = {name: mesh[list(points)].mean(axis=0) for name, points in MESH.items()}
    if eyes is not None:
        for side, eye, names in (("left", eyes[0], _LEFT_EYE), ("right", eyes[1], _RIGHT_EYE)):
            placed.update({f"{side}Eye{end}": eye.outline[index] for end, index in names.items()})
            placed["eyeLeft" if side == "left" else "eyeRight"] = eye.outline[list(names.values())].mean(axis=0)
            placed[f"{side}Pupil"] = eye.iris[0]
    return {name: (float(point[0]), float(point[1])) for name, point in placed.items() if np.isfinite(point).all()}
