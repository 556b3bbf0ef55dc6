"""The face mesh: 468 points on a face (Kartynnik et al. 2019, arXiv 1907.06724)."""

from __future__ import annotations

import math

import numpy as np

from sightline.architectures.base import Architecture, FaceFound
from sightline.images.geometry import Points, apply, invert, square_crop, warp
from sightline.images.picture import Pixels

# How much larger than the detector's box the crop is; the network was trained on such crops.
_MARGIN = 1.5


class FaceMesh(Architecture):
    """Turns the crop so that the eyes are level, where the detector gave eyes."""

    def points(self, pixels: Pixels, face: FaceFound) -> tuple[Points, float]:
        """The 468 points (468 x 2, pixels of `pixels`) and the confidence, 0..1, that the crop holds a face."""
        crop = self._crop(face)
        size = self.card.input.width
        values = self.prepare(warp(pixels, crop, size, size)[None])
        outputs = sorted((output.reshape(-1) for output in self.engine.run(values)), key=len)
        logit, flat = float(outputs[0][0]), outputs[-1]
        points = np.asarray(flat.reshape(-1, 3)[:, :2], np.float32)
        return apply(invert(crop), points), 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))

    def _crop(self, face: FaceFound) -> np.ndarray:
        box = face.box
        angle = 0.0
        if "left_eye" in face.points and "right_eye" in face.points:
            # The person's right eye lies at the picture's left: level eyes mean an angle of zero.
            (rx, ry), (lx, ly) = face.points["right_eye"], face.points["left_eye"]
            angle = math.atan2(ly - ry, lx - rx)
        center = (box.x + box.width / 2, box.y + box.height / 2)
        return square_crop(center, max(box.width, box.height) * _MARGIN, angle, self.card.input.width)
