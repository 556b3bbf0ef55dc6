"""A mask for each person: what one network says of one person, another of all people, and the shape of people in
boxes; overlaps go to the likelier one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sightline.architectures.base import FigureSegmenter, Mask, ObjectFound, Segmenter
from sightline.images.geometry import Box
from sightline.images.patch import Patch, Window
from sightline.images.picture import Pixels

# Chosen in the true boxes of coco_mini, among some 200 of settings that differ in the second or third digit, and
# checked on 30 portraits of EG1800, where a person fills the picture.
_ROOM = 1.2  # side of the square that the segmenter of people sees, in longer sides of the box
_LIMIT = 4.0  # log-odds beyond which no more is learnt
_CLOSE = 256.0  # pixels of the box's longer side from which the segmenter of people has its full weight
_PEOPLE = 2.0  # that weight; it falls with the area, since the segmenter was made for people near the camera
_SHAPE = 4.0  # weight of the shape: a rounded box, likeliest in the middle
_SMALLEST = 0.1  # of a person's largest connected part: smaller parts are dropped

Floats = npt.NDArray[np.float32]


class PersonMasks:
    """`figures` tells a person from the people beside, `segmenter` people from what is behind them; each may be
    missing."""

    def __init__(self, figures: FigureSegmenter | None, segmenter: Segmenter | None) -> None:
        self.figures, self.segmenter = figures, segmenter

    def outline(self, pixels: Pixels, people: Sequence[ObjectFound]) -> list[Patch]:
        """The patch of each person (boxes in pixels of `pixels`, RGB uint8), inside the box; no two share a
        pixel."""
        height, width = pixels.shape[:2]
        boxes = [person.box for person in people]
        windows = [Window.around(box, width, height) for box in boxes]
        own = [self._own(pixels, box, window) for box, window in zip(boxes, windows, strict=True)]
        # Where two claim a pixel, one that is hardly there at all must not take it from one that surely is.
        claims = [one + math.log(max(person.confidence, 1e-3)) for one, person in zip(own, people, strict=True)]
        owner = _owners(claims, windows, width, height)
        patches = []
        for index, (box, window) in enumerate(zip(boxes, windows, strict=True)):
            evidence = own[index] + self._people(pixels, box, window)
            inside = (evidence > 0) & (owner[window.slices] == index)
            patches.append(Patch(window.left, window.top, _connected(inside)))
        return patches

    def _own(self, pixels: Pixels, box: Box, window: Window) -> Floats:
        """Log-odds that each pixel of the window is this very person."""
        shape = _shape(box, window)
        return shape if self.figures is None else shape + self.figures.figure(pixels, box, window)

    def _people(self, pixels: Pixels, box: Box, window: Window) -> Floats:
        """Log-odds that each pixel of the window is of a person, by weight."""
        longer = max(box.width, box.height)
        weight = _PEOPLE * min(1.0, longer / _CLOSE) ** 2
        if self.segmenter is None:
            return np.zeros((window.height, window.width), np.float32)
        height, width = pixels.shape[:2]
        half, x, y = longer * _ROOM / 2, box.x + box.width / 2, box.y + box.height / 2
        seen = Window.around(Box(x - half, y - half, 2 * half, 2 * half), width, height)
        found = cv2.resize(self.segmenter.mask(pixels[seen.slices]), (seen.width, seen.height))
        rows, columns = window.slices
        part = found[rows.start - seen.top : rows.stop - seen.top, columns.start - seen.left : columns.stop - seen.left]
        return np.asarray(weight * _log_odds(np.asarray(part, np.float32)), np.float32)


def _log_odds(probability: Mask) -> Floats:
    low = 1 / (1 + np.exp(_LIMIT))
    clipped = np.clip(probability, low, 1 - low)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _shape(box: Box, window: Window) -> Floats:
    x = np.abs(2 * (np.arange(window.left, window.right) + 0.5 - box.x) / max(box.width, 1e-3) - 1)
    y = np.abs(2 * (np.arange(window.top, window.bottom) + 0.5 - box.y) / max(box.height, 1e-3) - 1)
    return np.asarray(_SHAPE * (1 - x[None, :] ** 3 - y[:, None] ** 3), np.float32)


def _owners(claims: list[Floats], windows: list[Window], width: int, height: int) -> npt.NDArray[np.int32]:
    """Whose each pixel is: the index of the person with the highest claim, -1 outside all boxes."""
    best = np.full((height, width), -np.inf, np.float32)
    owner = np.full((height, width), -1, np.int32)
    for index, (claim, window) in enumerate(zip(claims, windows, strict=True)):
        higher = claim > best[window.slices]
        best[window.slices][higher] = claim[higher]
        owner[window.slices][higher] = index
    return owner


def _connected(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Without the crumbs: parts much smaller than the largest. A person behind a post may well be in two parts."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if count <= 2:
        return inside
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= _SMALLEST * areas[1:].max()
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)
