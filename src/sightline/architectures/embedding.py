"""Networks that describe a whole picture in numbers, for heads to learn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture
from sightline.architectures.classifier import look
from sightline.images.picture import Pixels


class Embedding(Architecture):
    """Looks at the whole picture, which fills the input as the card's options say (those of `Classifier`). The option
    `features` names the tensor of the graph that describes it, where that is not the first output."""

    def vector(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """D numbers for rows x columns x 3 RGB uint8."""
        output = self.engine.run(self.prepare(look(self.card, pixels)[None]))[0]
        return np.asarray(output, np.float32).reshape(-1)
