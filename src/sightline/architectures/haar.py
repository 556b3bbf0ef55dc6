"""The Haar cascade face detector (Viola and Jones 2001), as OpenCV ships it: needs no network and no download."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.architectures.base import Architecture, FaceFound
from sightline.images.geometry import Box
from sightline.images.picture import Pixels


class Haar(Architecture):
    """Card options: `step` (scale step of the search), `neighbours` (least raw hits of one face), `smallest` (side
    of the smallest face, as a share of the picture's shorter side), `longest` (larger pictures are searched
    at this longer side, in pixels), `side` and `down` (the cascade's square times `side`, moved down by `down` of its
    sides, is such a box as BlazeFace gives). It gives no points, and its confidence is the cascade's stage sum
    squashed to 0..1, not a probability."""

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        """Every frontal face of height x width x 3 RGB uint8, most confident first."""
        options = self.card.options
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        shrink = min(1.0, float(options["longest"]) / max(grey.shape))
        if shrink < 1:
            size = max(1, round(grey.shape[1] * shrink)), max(1, round(grey.shape[0] * shrink))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        grey = cv2.equalizeHist(grey)
        smallest = max(24.0, float(options["smallest"]) * min(grey.shape))
        parameters = np.array([options["step"], options["neighbours"], smallest], np.float64)
        boxes, sums = self.engine.run(np.asarray(grey, np.uint8), parameters)
        found = [
            FaceFound(self._face(Box(*(float(v) / shrink for v in box))), float(1 / (1 + np.exp(-0.5 * level))), {})
            for box, level in zip(boxes, sums, strict=True)
        ]
        least = self.card.threshold("score") if at_least is None else at_least
        return sorted((face for face in found if face.confidence >= least), key=lambda face: -face.confidence)

    def _face(self, square: Box) -> Box:
        side = square.width * float(self.card.options["side"])
        x = square.x + (square.width - side) / 2
        y = square.y + (square.height - side) / 2 + square.height * float(self.card.options["down"])
        return Box(x, y, side, side)

    def warm(self) -> None:
        """Search a small grey picture once."""
        self.engine.run(np.full((64, 64), 128, np.uint8), np.array([1.2, 3, 24], np.float64))
