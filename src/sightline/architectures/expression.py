"""Face-expression networks: a grey crop of a face into a probability for each emotion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture


class Expression(Architecture):
    """The network gives logits (N x labels), or probabilities where the card's option `output` says so; the option
    `temperature` calibrates them (Guo et al. 2017) and `mirror` averages a crop with its mirror image."""

    def scores(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """N x labels, each row summing to 1, for N x height x width x 3 RGB uint8 crops of the card's input size."""
        logits = self._logits(faces)
        if self.card.options.get("mirror", False):
            logits = np.asarray((logits + self._logits(faces[:, :, ::-1])) / 2, np.float32)
        logits = np.asarray(logits / float(self.card.options.get("temperature", 1.0)), np.float32)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def _logits(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        (output,) = self.engine.run(self.prepare(faces))
        if self.card.options.get("output", "logits") == "probabilities":
            # The logarithm is a logit: the softmax above gives the probability back.
            output = np.log(np.maximum(output, 1e-30))
        return np.asarray(output, np.float32)
