"""What the detectors of everyday things have in common: from candidate boxes to the things that are answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, ObjectFound
from sightline.errors import InvalidCard
from sightline.images.geometry import Box, Boxes, nms_by_class
from sightline.images.picture import Pixels

CANDIDATES = 1000
"""At most so many candidates are compared with each other, the best ones: the work grows with their square."""
MOST = 300
"""At most so many things are answered for a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that a network proposes, in pixels of the picture: N x 4, their scores (N, 0..1) and the numbers of their
    classes (N)."""

    boxes: Boxes
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]


class ObjectNetwork(Architecture):
    """Card: `labels` in the order of the network's classes. Thresholds: `score` (the least confidence), `iou` (two
    boxes of one label that overlap more are one thing)."""

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        """Every thing on height x width x 3 RGB uint8, most confident first; boxes are clipped to the picture."""
        least = self.card.threshold("score") if at_least is None else at_least
        found = self.candidates(pixels, least)
        (good,) = np.nonzero(found.scores >= least)
        good = good[np.argsort(-found.scores[good], kind="stable")][:CANDIDATES]
        boxes, scores, classes = found.boxes[good], found.scores[good], found.classes[good]
        height, width = pixels.shape[:2]
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        keep = nms_by_class(boxes, scores, classes, self.card.threshold("iou"))[:MOST]
        things = (
            ObjectFound(self.label(int(classes[index])), float(scores[index]), Box.between(*map(float, boxes[index])))
            for index in keep
        )
        return [thing for thing in things if thing.box.area > 0]

    def label(self, number: int) -> str:
        """The name of a class. Raises `InvalidCard` for one that the card does not name."""
        if not 0 <= number < len(self.card.labels):
            raise InvalidCard(f"{self.card.name} answers class {number}; its card has {len(self.card.labels)} labels")
        return self.card.labels[number]

    def candidates(self, pixels: Pixels, least: float) -> Candidates:
        """What the network proposes for height x width x 3 RGB uint8; those below `least` may be left out."""
        raise NotImplementedError
