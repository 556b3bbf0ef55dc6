"""Faces whose pose, mouth and eyes are known: the mean face, changed, turned and seen by a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.architectures.base import FaceFound
from sightline.architectures.iris import EyeFound
from sightline.images.geometry import Box, Points
from sightline.images.picture import Pixels
from sightline.tasks.details.pose import Face3D, canonical_face, rotation_of
from sightline.tasks.details.types import Pose
from tests.fakes.cards import card

LIPS = [13, 14]
_DISTANCE = 60.0
_AHEAD = Pose(0, 0, 0)


@dataclass(frozen=True)
class DrawnHead:
    """A head of a mesh whose lips are `gap` cm apart, eyes `opening` cm open and looking by `gaze` (yaw, pitch in
    degrees, relative to the head), seen at `scale` pixels a centimetre, its middle at `center`."""

    pose: Pose = _AHEAD
    scale: float = 20.0
    center: tuple[float, float] = (200.0, 200.0)
    gap: float = 0.0
    opening: float = 1.0
    gaze: tuple[float, float] = (0.0, 0.0)

    def project(self, solid: Face3D) -> Points:
        turned = (solid - canonical_face()[canonical_face()[:, 1] < 4.2].mean(axis=0)) @ rotation_of(self.pose).T
        seen = turned[:, :2] * (_DISTANCE / (_DISTANCE + turned[:, 2:])) * self.scale
        return np.asarray(seen + self.center, np.float32)

    @property
    def mesh(self) -> Points:
        face = canonical_face().copy()
        face[LIPS] = face[LIPS].mean(axis=0) + np.array([[0, -self.gap / 2, 0], [0, self.gap / 2, 0]])
        return self.project(face)

    @property
    def eyes(self) -> tuple[EyeFound, EyeFound]:
        """Two almond shapes with an iris on an eyeball of 1 cm whose middle lies 0.22 cm behind the corners."""
        face = canonical_face()
        yaw, pitch = (math.radians(value) for value in self.gaze)
        look = np.array([math.sin(yaw) * math.cos(pitch), -math.sin(pitch), -math.cos(yaw) * math.cos(pitch)])
        found = []
        for outer, inner in ((face[33], face[133]), (face[263], face[362])):
            middle = (outer + inner) / 2
            along = np.linspace(0, 1, 9)[:, None]
            line = outer + (inner - outer) * along
            bulge = np.sin(math.pi * along) * (0, self.opening / 2, 0)
            outline = np.vstack([line + bulge, (line - bulge)[1:8]])
            iris = middle + np.array([0, -0.15, 0.22]) + look
            rim = iris + 0.58 * np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]])
            found.append(EyeFound(self.project(outline), self.project(rim)))
        return found[0], found[1]

    @property
    def found(self) -> FaceFound:
        low, high = self.mesh.min(axis=0), self.mesh.max(axis=0)
        return FaceFound(Box.between(*map(float, (*low, *high))), 0.9, {})


def mirror_pairs() -> np.ndarray:
    """For each of the 468 points the index of its mirror image."""
    face = canonical_face()
    return np.linalg.norm((face * (-1, 1, 1))[:, None] - face[None], axis=2).argmin(axis=1)


class DrawnMesher:
    """Gives the mesh of a drawn head, as sure as it was told to be."""

    def __init__(self, head: DrawnHead, confidence: float = 1.0) -> None:
        self.card = card(name="drawn-mesher", thresholds={"score": 0.5})
        self.head, self.confidence, self.warmed = head, confidence, 0

    @property
    def cards(self):
        return (self.card,)

    def warm(self) -> None:
        self.warmed += 1

    def points(self, pixels: Pixels, face: FaceFound) -> tuple[Points, float]:
        return self.head.mesh, self.confidence


class DrawnEyes:
    """Gives the eyes of a drawn head."""

    def __init__(self, head: DrawnHead) -> None:
        self.card = card(name="drawn-eyes")
        self.head, self.warmed, self.asked = head, 0, 0

    @property
    def cards(self):
        return (self.card,)

    def warm(self) -> None:
        self.warmed += 1

    def eyes(self, pixels: Pixels, mesh: Points) -> tuple[EyeFound, EyeFound]:
        self.asked += 1
        return self.head.eyes
