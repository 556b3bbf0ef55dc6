"""Upright people by histograms of oriented gradients (Dalal and Triggs 2005): small, slow, and needs no download."""

from __future__ import annotations

import numpy as np

from sightline.architectures.objects import Candidates, ObjectNetwork
from sightline.images.geometry import resize
from sightline.images.picture import Pixels


class Hog(ObjectNetwork):
    """Card options: `step` (scale step of the search), `stride` (of the window, pixels), `longest` (larger pictures are
    searched at this longer side), `width` and `height` (the share of the window that a person fills), `middle` and
    `slope` (the logistic curve that turns the distance from the support vector machine's plane into a confidence)."""

    def candidates(self, pixels: Pixels, least: float) -> Candidates:
        options = self.card.options
        height, width = pixels.shape[:2]
        shrink = min(1.0, float(options["longest"]) / max(height, width))
        small = resize(pixels, max(1, round(width * shrink)), max(1, round(height * shrink)))
        boxes, sides = self.engine.run(small, np.array([options["step"], options["stride"]], np.float64))
        centers, halves = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:] / 2
        halves = halves * (float(options["width"]), float(options["height"]))
        corners = np.concatenate([centers - halves, centers + halves], axis=1) / shrink
        scores = 1 / (1 + np.exp(-float(options["slope"]) * (sides - float(options["middle"]))))
        return Candidates(corners.astype(np.float32), scores.astype(np.float32), np.zeros(len(boxes), np.int64))

    def warm(self) -> None:
        """Search a small grey picture once."""
        self.engine.run(np.full((192, 96, 3), 128, np.uint8), np.array([1.2, 8], np.float64))
