"""A detector that also looks closer, on overlapping tiles of the picture: for things too small for the whole view."""

from __future__ import annotations

import numpy as np

from sightline.architectures.base import ObjectDetector, ObjectFound
from sightline.images.geometry import Box, nms_by_class, tiles
from sightline.images.picture import Pixels
from sightline.models.card import Card

ALONG = 4
"""So many tiles, without their overlap, along the longer side of a large picture."""
OVERLAP = 0.25
# In shares of a tile's side: a box that ends so near to an inner border was cut by it; what is larger than so much is
# seen well enough on the whole picture, and a tile may show a part of it only.
_RIM, _LARGEST = 0.02, 0.5


class Tiled:
    """What `detector` finds on the whole picture and on tiles of it. A tile is a square as large as the detector's
    input, or a quarter of the longer side if that is more, and shares a quarter of its side with its neighbours."""

    def __init__(self, detector: ObjectDetector) -> None:
        self.detector = detector
        self.card: Card = detector.card

    @property
    def cards(self) -> tuple[Card, ...]:
        return self.detector.cards

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        """Every thing on height x width x 3 RGB uint8, most confident first; `at_least` as for the detector."""
        height, width = pixels.shape[:2]
        longest = max(height, width)
        side = max(self.card.input.width, self.card.input.height, -(-longest // ALONG))
        found = self.detector.detect(pixels, at_least)
        if side >= longest:
            return found
        for left, top, right, bottom in tiles(width, height, side, OVERLAP):
            near = self.detector.detect(np.ascontiguousarray(pixels[top:bottom, left:right]), at_least)
            moved = (_moved(thing, left, top) for thing in near)
            small = (thing for thing in moved if max(thing.box.width, thing.box.height) <= _LARGEST * side)
            found += [thing for thing in small if not _cut(thing.box, (left, top, right, bottom), (width, height))]
        return _merged(found, self.card.threshold("iou"))

    def warm(self) -> None:
        self.detector.warm()


def _moved(thing: ObjectFound, x: int, y: int) -> ObjectFound:
    box = Box(thing.box.x + x, thing.box.y + y, thing.box.width, thing.box.height)
    return ObjectFound(thing.label, thing.confidence, box)


def _cut(box: Box, tile: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    """Whether the box reaches an inner border of its tile: the thing is whole on a neighbour, or on the picture."""
    left, top, right, bottom = box.corners
    rim = _RIM * (tile[2] - tile[0])
    low = (tile[0] > 0 and left < tile[0] + rim) or (tile[1] > 0 and top < tile[1] + rim)
    high = (tile[2] < size[0] and right > tile[2] - rim) or (tile[3] < size[1] and bottom > tile[3] - rim)
    return low or high


def _merged(found: list[ObjectFound], threshold: float) -> list[ObjectFound]:
    boxes = np.array([thing.box.corners for thing in found], np.float32).reshape(-1, 4)
    scores = np.array([thing.confidence for thing in found], np.float32)
    names = {label: number for number, label in enumerate(sorted({thing.label for thing in found}))}
    classes = np.array([names[thing.label] for thing in found], np.int64)
    return [found[index] for index in nms_by_class(boxes, scores, classes, threshold)]
