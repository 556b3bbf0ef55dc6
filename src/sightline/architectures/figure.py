"""The silhouette of one person, as BlazePose sees it beside its points (Bazarevsky et al. 2020, arXiv 2006.10204)."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.architectures.base import Architecture, Mask
from sightline.images.geometry import Box, invert, square_crop, warp
from sightline.images.patch import Window
from sightline.images.picture import Pixels


class Figure(Architecture):
    """Looks at a square around the box's middle; of several people it marks the one in the middle. Card option
    `margin`: the square's side in longer sides of the box."""

    def figure(self, pixels: Pixels, box: Box, window: Window) -> Mask:
        """The log-odds, clipped to -4..4, that a pixel of the window shows the person in `box`: float32, rows x
        columns of the window. What lies outside the square is as unlikely as can be."""
        size = self.card.input.width
        center = (box.x + box.width / 2, box.y + box.height / 2)
        side = max(box.width, box.height, 1.0) * float(self.card.options.get("margin", 1.8))
        crop = square_crop(center, side, 0.0, size)
        outputs = self.engine.run(self.prepare(warp(pixels, crop, size, size)[None]))
        (logits,) = (output for output in outputs if output.shape[1:3] == (size, size))
        back = invert(crop)
        # To the window, in OpenCV's frame, where the centre of the first pixel is (0, 0).
        back[:, 2] += back[:, :2] @ (0.5, 0.5) - (window.left + 0.5, window.top + 0.5)
        found = cv2.warpAffine(
            np.asarray(logits[0, ..., 0], np.float32),
            back,
            (window.width, window.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=-4,
        )
        return np.asarray(np.clip(found, -4, 4), np.float32)
