"""How a head is turned: the rotation that brings a mean face onto the points of a face mesh.

The mean face (`canonical_face.csv`, 468 x 3 centimetres: x to the picture's right, y down, z away from the camera,
origin between the eyes) comes from `benchmarks/canonical_face.py`. The perspective-n-point problem is solved by SQPnP
(Terzakis and Lourakis, ECCV 2020) for a camera 60 cm away that looks straight at the face: a cut-out has the pose that
the face has in the whole picture, and no focal length has to be known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sightline.images.geometry import Points
from sightline.tasks.details.types import Pose

Rotation = npt.NDArray[np.float64]
"""3 x 3: maps directions of the mean face into those of the camera (x right, y down, z away)."""
Face3D = npt.NDArray[np.float64]
"""468 x 3 centimetres."""

_DISTANCE = 60.0
# Lips and jaw move when a mouth opens: only points above this height (cm, down) say how a head is turned.
_ABOVE = 4.2


@cache
def canonical_face() -> Face3D:
    """The mean face. Not to be written to."""
    face = np.loadtxt(Path(__file__).with_name("canonical_face.csv"), delimiter=",")
    face.setflags(write=False)
    return face


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """How a head is turned, and how large it is seen: pixels for a centimetre of the mean face that lies across."""

    rotation: Rotation
    scale: float

    @property
    def forward(self) -> npt.NDArray[np.float64]:
        """The direction in which the face looks, a unit vector in the camera's frame."""
        return np.asarray(self.rotation @ (0.0, 0.0, -1.0), np.float64)

    def across(self, points: npt.NDArray[np.floating[Any]], depth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where points of the picture (N x 2, pixels) lie in the frame of the mean face (N x 2, centimetres, of any
        origin), were their depths there `depth` (N, centimetres): the head turned back to look into the camera."""
        flat, slant = self.rotation[:2, :2], self.rotation[:2, 2]
        return np.asarray(np.linalg.solve(flat, (points / self.scale - depth[:, None] * slant).T).T, np.float64)


def solve_head(mesh: Points, face: Face3D | None = None) -> Head | None:
    """The head whose mesh points (468 x 2, pixels) are `mesh`; None where they are no face at all (not finite, or all
    in one place). `face` replaces the mean face."""
    model = canonical_face() if face is None else face
    rigid = model[:, 1] < _ABOVE
    solid, seen = model[rigid], mesh[rigid].astype(np.float64)
    middle = seen.mean(axis=0)
    size = float(np.linalg.norm(seen - middle, axis=1).mean())
    if not (math.isfinite(size) and size > 1e-3):
        return None
    # One picture size for every face: the solver's tolerances are in pixels.
    seen = (seen - middle) / size
    focal = _DISTANCE / float(np.linalg.norm((solid - solid.mean(axis=0))[:, :2], axis=1).mean())
    # A face turned away looks smaller than it is; the first answer tells its size, and with it the focal length.
    for _ in range(3):
        try:
            camera = np.diag([focal, focal, 1.0])
            found, turn, shift = cv2.solvePnP(solid, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        except cv2.error:  # all but a few points in one place
            return None
        if not found or not float(shift[2, 0]) > 0:
            return None
        scale = size * focal / float(shift[2, 0])
        focal *= _DISTANCE / float(shift[2, 0])
    rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    return Head(rotation, scale) if np.isfinite(rotation).all() else None


def angles(rotation: Rotation) -> Pose:
    """Roll, yaw and pitch of a rotation taken apart as roll after yaw after pitch: turning the picture changes the
    roll alone."""
    roll = math.atan2(rotation[1, 0], rotation[0, 0])
    yaw = math.asin(max(-1.0, min(1.0, rotation[2, 0])))
    pitch = -math.atan2(rotation[2, 1], rotation[2, 2])
    return Pose(*map(math.degrees, (roll, yaw, pitch)))


def rotation_of(pose: Pose) -> Rotation:
    """The rotation whose `angles` are those of `pose` (a yaw between -90 and 90 degrees)."""
    roll, yaw, pitch = (math.radians(value) for value in (pose.roll, pose.yaw, -pose.pitch))
    cos, sin = math.cos, math.sin
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    about_y = np.array([[cos(yaw), 0, -sin(yaw)], [0, 1, 0], [sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)
