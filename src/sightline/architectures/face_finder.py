"""Two face detectors as one: a far-sighted one for crowds and a near-sighted one for faces that fill the picture."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import FaceDetector, FaceFound
from sightline.images.geometry import iou
from sightline.images.picture import Pixels
from sightline.models.card import Card


class FaceFinder:
    """What `far` finds, and what `near` finds besides it that is large: at least the share of the picture's shorter
    side that near's card calls `closeup_side`, with at least the score that it calls `closeup`."""

    def __init__(self, far: FaceDetector, near: FaceDetector) -> None:
        self.far, self.near = far, near

    @property
    def cards(self) -> tuple[Card, ...]:
        return self.far.cards + self.near.cards

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        """Every face of height x width x 3 RGB uint8, most confident first; `at_least` replaces every score."""
        (card,) = self.near.cards
        least_side = float(card.options["closeup_side"]) * min(pixels.shape[:2])
        least_score = card.threshold("closeup") if at_least is None else at_least
        large = [
            face
            for face in self.near.detect(pixels, at_least)
            if max(face.box.width, face.box.height) >= least_side and face.confidence >= least_score
        ]
        if not large:
            return self.far.detect(pixels, at_least)
        boxes = np.array([face.box.corners for face in large], np.float32)
        # On a close-up the far-sighted network's box is the worse one, and its tiles see eyes and mouths as faces.
        others = [face for face in self.far.detect(pixels, at_least) if not _covered(face, boxes)]
        return sorted(large + others, key=lambda face: -face.confidence)

    def warm(self) -> None:
        self.far.warm()
        self.near.warm()


def _covered(face: FaceFound, boxes: np.ndarray) -> bool:
    corners = np.array([face.box.corners], np.float32)
    center = corners.reshape(2, 2).mean(axis=0)
    inside = ((boxes[:, :2] <= center) & (center <= boxes[:, 2:])).all(axis=1)
    return bool((iou(corners, boxes) > 0.2).any() or inside.any())
