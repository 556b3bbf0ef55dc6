"""DeepLabV3+ for people (Chen et al. 2018, arXiv 1802.02611), as the recipe `portraits` trains it."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import Architecture, Mask
from sightline.images.geometry import letterbox
from sightline.images.picture import Pixels


class DeepLab(Architecture):
    """Takes the whole picture, its proportions kept, on black; the output is N x 1 x height x width probabilities."""

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of a person for height x width x 3 RGB uint8: float32, as many rows and columns as the
        picture takes of the input."""
        spec = self.card.input
        boxed, frame = letterbox(pixels, spec.width, spec.height)
        output = self.engine.run(self.prepare(boxed[None]))[0]
        plane = np.asarray(output, np.float32).reshape(spec.height, spec.width)
        top, left = int(frame.top), int(frame.left)
        rows = max(1, round(pixels.shape[0] * frame.scale))
        columns = max(1, round(pixels.shape[1] * frame.scale))
        return np.clip(plane[top : top + rows, left : left + columns], 0.0, 1.0)
