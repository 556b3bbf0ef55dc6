"""DeepLabV3+ for people (Chen et al. 2018, arXiv 1802.02611), as the recipe `portraits` trains it."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import Architecture, Mask
from sightline.images.geometry import letterbox
from sightline.images.picture import Pixels


class DeepLab(Architecture):
    """Takes the whole picture, its proportions kept, on black; the output is N x 1 x height x width probabilities.
    With the card's option `mirror` a picture and its mirror image are averaged."""

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of a person for height x width x 3 RGB uint8: float32, as many rows and columns as the
        picture takes of the input."""
        spec = self.card.input
        boxed, frame = letterbox(pixels, spec.width, spec.height)
        mirror = bool(self.card.options.get("mirror", False))
        batch = np.stack([boxed, boxed[:, ::-1]]) if mirror else boxed[None]
        output = np.asarray(self.engine.run(self.prepare(batch))[0], np.float32)
        planes = output.reshape(len(batch), spec.height, spec.width)
        plane = (planes[0] + planes[1, :, ::-1]) / 2 if mirror else planes[0]
        return np.asarray(np.clip(frame.cut(plane), 0.0, 1.0), np.float32)
