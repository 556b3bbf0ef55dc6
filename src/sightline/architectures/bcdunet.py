"""Segmentation networks of the U-Net family on single-channel pictures, BCDU-Net among them (Azad et al. 2019)."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import Architecture, Mask
from sightline.images.geometry import resize
from sightline.images.picture import Pixels


class BCDUNet(Architecture):
    """Takes the whole picture squeezed to the input's size; the output is logits, N x 1 x height x width, or
    probabilities where the card's option `output` says so."""

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of each pixel, input height x input width float32, for height x width x 3 RGB uint8."""
        spec = self.card.input
        output = self.engine.run(self.prepare(resize(pixels, spec.width, spec.height)[None]))[0]
        values = np.asarray(output, np.float32).reshape(spec.height, spec.width)
        if self.card.options.get("output", "logits") == "logits":
            return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)
        return values
