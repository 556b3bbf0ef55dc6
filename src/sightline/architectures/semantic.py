"""Networks that name every pixel, such as DeepLabV3+ (Chen et al. 2018, arXiv 1802.02611), from any ONNX export."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, Mask
from sightline.engines.base import Engine
from sightline.errors import InvalidCard
from sightline.images.geometry import letterbox, resize
from sightline.images.picture import Pixels
from sightline.models.card import Card

_FITS = ("letterbox", "stretch")


class Semantic(Architecture):
    """Takes the whole picture at the input's size. Card: `labels` in the order of the classes. Options: `fit`
    (`letterbox`, the default, keeps the proportions on black; `stretch` does not).

    The first output holds scores, N x classes x rows x columns (N x rows x columns x classes where the layout is
    NHWC), or the numbers of the classes themselves, N x rows x columns, at any resolution.
    """

    def __init__(self, card: Card, engine: Engine) -> None:
        super().__init__(card, engine)
        if not 2 <= len(card.labels) <= 256:
            raise InvalidCard(f"{card.name} names {len(card.labels)} labels; to name pixels it takes 2 to 256")
        self._fit = str(card.options.get("fit", "letterbox"))
        if self._fit not in _FITS:
            raise InvalidCard(f"{card.name}: fit is {self._fit!r}; it is one of {', '.join(_FITS)}")

    def classes(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """The index of each pixel's label in the card's labels, rows x columns of the output, for the whole of
        height x width x 3 RGB uint8. Raises `InvalidCard` where the network has another number of classes."""
        found = self._whole(pixels)
        if found.ndim == 3:
            return np.asarray(found.argmax(axis=2), np.uint8)
        if found.size and not 0 <= found.min() <= found.max() < len(self.card.labels):
            raise InvalidCard(
                f"{self.card.name} answers class {found.max():g}, beyond its {len(self.card.labels)} labels"
            )
        return np.asarray(found, np.uint8)

    def mask(self, pixels: Pixels) -> Mask:
        """1 on the label `person`, 0 elsewhere, as `classes` decides. Raises `InvalidCard` without that label."""
        if "person" not in self.card.labels:
            raise InvalidCard(f"{self.card.name} has no label 'person'")
        return np.asarray(self.classes(pixels) == self.card.labels.index("person"), np.float32)

    def _whole(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """The output for the picture alone: rows x columns x classes, or rows x columns."""
        spec = self.card.input
        if self._fit == "stretch":
            return self._named(self.engine.run(self.prepare(resize(pixels, spec.width, spec.height)[None]))[0])
        boxed, frame = letterbox(pixels, spec.width, spec.height)
        found = self._named(self.engine.run(self.prepare(boxed[None]))[0])
        by_x, by_y = found.shape[1] / spec.width, found.shape[0] / spec.height
        left, right = frame.left * by_x, (frame.left + pixels.shape[1] * frame.scale) * by_x
        top, bottom = frame.top * by_y, (frame.top + pixels.shape[0] * frame.scale) * by_y
        rows = slice(int(top), max(int(top) + 1, round(bottom)))
        return found[rows, int(left) : max(int(left) + 1, round(right))]

    def _named(self, output: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        count = len(self.card.labels)
        if output.ndim == 3:
            return np.asarray(output[0], np.float32)
        if output.ndim == 4 and self.card.input.layout == "NCHW":
            output = output.transpose(0, 2, 3, 1)
        if output.ndim != 4 or output.shape[3] != count:
            raise InvalidCard(f"{self.card.name} answers {output.shape}; its card names {count} labels")
        return np.asarray(output[0], np.float32)


def enlarged(classes: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Numbers of classes at another size: the nearest one, since classes cannot be averaged."""
    return np.asarray(cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
