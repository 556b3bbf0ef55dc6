"""Segmentation networks of the U-Net family on single-channel pictures, BCDU-Net among them (Azad et al. 2019)."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import Architecture, Film, Mask
from sightline.images.geometry import resize
from sightline.images.picture import Pixels


class BCDUNet(Architecture):
    """Takes the whole picture squeezed to the input's size; the first output is logits, N x 1 x height x width, or
    probabilities where the card's option `output` says so; a second one, N numbers, is the probability that the
    picture is a chest X-ray."""

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of each pixel, input height x input width float32, for height x width x 3 RGB uint8."""
        return self.film(pixels).mask

    def film(self, pixels: Pixels) -> Film:
        """The same, with the judge's word on the whole picture."""
        spec = self.card.input
        outputs = self.engine.run(self.prepare(resize(pixels, spec.width, spec.height)[None]))
        values = np.asarray(outputs[0], np.float32).reshape(spec.height, spec.width)
        if self.card.options.get("output", "logits") == "logits":
            values = np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)
        judged = float(np.asarray(outputs[1]).reshape(-1)[0]) if len(outputs) > 1 else None
        return Film(values, judged)
