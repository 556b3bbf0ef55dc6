"""The selfie segmenter: people near the camera (MediaPipe's model card, 2021)."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import Architecture, Mask
from sightline.images.geometry import resize
from sightline.images.picture import Pixels


class Selfie(Architecture):
    """Takes the whole picture squeezed to the input's size, proportions not kept, as it was trained."""

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of a person, input height x input width float32, for height x width x 3 RGB uint8."""
        spec = self.card.input
        (output,) = self.engine.run(self.prepare(resize(pixels, spec.width, spec.height)[None]))
        return np.clip(output[0, ..., 0], 0.0, 1.0)
