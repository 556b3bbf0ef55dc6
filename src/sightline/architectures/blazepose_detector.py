"""The person detector of BlazePose (Bazarevsky et al. 2020, arXiv 2006.10204): heads, and how the body lies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture
from sightline.architectures.blazeface import BlazeFace
from sightline.architectures.people import PersonFound, Upright
from sightline.engines.base import Engine
from sightline.images.geometry import Box
from sightline.images.picture import Pixels
from sightline.models.card import Card

# The network's points: the middle of the hips, a point on the circle around the whole person straight above it,
# the middle of the shoulders, a point on the circle around the upper body.
_HIPS, _ABOVE = 4, 6
# How much larger than the circle the crop is, as MediaPipe makes it.
_ROOM = 1.25


class BlazePoseDetector(Architecture):
    """BlazeFace's single-shot network with four points of the body. Its boxes are those of heads, so that people
    who overlap stay apart. Card options and thresholds are BlazeFace's."""

    def __init__(self, card: Card, engine: Engine) -> None:
        super().__init__(card, engine)
        self._heads = BlazeFace(card, engine)

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[PersonFound]:
        """Every person of height x width x 3 RGB uint8, most confident first; `at_least` replaces the score."""
        rows, scores = self._heads.search(pixels, at_least)
        height, width = pixels.shape[:2]
        people = []
        for row, score in zip(rows, scores, strict=True):
            body = upright(row[_HIPS : _HIPS + 2], row[_ABOVE : _ABOVE + 2])
            (x, y), half = body.center, body.side / 2
            box = Box(x - half, y - half, body.side, body.side).clipped(width, height)
            people.append(PersonFound(box, float(score), body))
        return people


def upright(hips: npt.NDArray[np.float32], above: npt.NDArray[np.float32]) -> Upright:
    """The square of a person from the middle of the hips and the point of the circle that lies above it once the
    person is upright (x, y each)."""
    (x, y), (dx, dy) = map(float, hips), map(float, above - hips)
    return Upright((x, y), max(2 * _ROOM * math.hypot(dx, dy), 1.0), math.atan2(dx, -dy))
