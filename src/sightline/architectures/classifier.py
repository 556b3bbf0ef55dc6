"""Networks that name what a whole picture shows: timm-style classifiers, and heads over an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, Named
from sightline.engines.base import Array, Engine
from sightline.errors import InvalidCard
from sightline.images.framing import FILTERS, FITS, framed
from sightline.images.picture import Pixels
from sightline.models.card import Card

OUTPUTS = ("logits", "probabilities", "independent")


class Classifier(Architecture):
    """Looks at the whole picture. The card's options say how it fills the input and what comes out.

    - `fit`: `crop` (the default), `squash` or `letterbox`; `crop`: the share of the shorter side that a crop keeps
      (timm's `crop_pct`, 0.875 by default); `filter`: `bilinear` or `bicubic`; `pad`: the grey of a letterbox.
    - `output`: `logits` (a softmax is taken, after division by `temperature`; Guo et al. 2017), `probabilities`, or
      `independent` (probabilities that each stand alone, since a picture may show several things).
    - A network's second output, N numbers, is the distance to what it was taught; the threshold `distance` limits it.
    """

    def __init__(self, card: Card, engine: Engine) -> None:
        super().__init__(card, engine)
        frame_options(card)
        self._output = str(card.options.get("output", "logits"))
        if self._output not in OUTPUTS:
            raise InvalidCard(f"{card.name}: output is {self._output!r}; it is one of {', '.join(OUTPUTS)}")
        if not card.labels:
            raise InvalidCard(f"{card.name} names no labels")

    def classify(self, pixels: Pixels) -> Named:
        """The confidence of each of the card's labels for rows x columns x 3 RGB uint8.

        Raises `InvalidCard` where the network gives another number of them.
        """
        return self._named(look(self.card, pixels))

    def confidences(self, shown: Pixels) -> npt.NDArray[np.float32]:
        """The confidences alone, for a picture that already has the input's size."""
        return self._named(shown).confidences

    def _named(self, shown: Pixels) -> Named:
        outputs = self.engine.run(self.prepare(shown[None]))
        row = np.asarray(outputs[0], np.float32).reshape(-1)
        if len(row) != len(self.card.labels):
            raise InvalidCard(f"{self.card.name} names {len(self.card.labels)} labels; its network answers {len(row)}")
        distance = float(np.asarray(outputs[1]).reshape(-1)[0]) if len(outputs) > 1 else None
        return Named(self._confidences(row), distance)

    def _confidences(self, row: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._output != "logits":
            return np.clip(row, 0.0, 1.0)
        logits = row / float(self.card.options.get("temperature", 1.0))
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum(), np.float32)


def look(card: Card, pixels: Pixels) -> Array:
    """`pixels` as the card's input shows them: height x width x 3 RGB uint8. Raises `InvalidCard`."""
    return framed(pixels, card.input.width, card.input.height, **frame_options(card))


def frame_options(card: Card) -> dict[str, Any]:
    """How the card lets a picture fill its input, as arguments of `framed`. Raises `InvalidCard`."""
    options = card.options
    fit, filter = options.get("fit", "crop"), options.get("filter", "bilinear")
    share, pad = options.get("crop", 0.875), options.get("pad", 0)
    if fit not in FITS or filter not in FILTERS:
        raise InvalidCard(f"{card.name}: fit is one of {', '.join(FITS)}, filter one of {', '.join(FILTERS)}")
    if not isinstance(share, int | float) or not 0 < share <= 1 or not isinstance(pad, int) or not 0 <= pad <= 255:
        raise InvalidCard(f"{card.name}: crop is a share above 0 and up to 1, pad a grey of 0 to 255")
    return {"fit": fit, "share": float(share), "filter": filter, "pad": pad}
