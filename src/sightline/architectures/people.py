"""People and their points: what detectors and pose networks hand on, and the seams that tasks see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Model
from sightline.images.geometry import Box, Points
from sightline.images.picture import Pixels
from sightline.models.card import Card

Scores = npt.NDArray[np.float32]
"""N numbers, 0..1."""


@dataclass(frozen=True, slots=True)
class Upright:
    """The square around a whole person that stands upright once it is turned: its centre (the middle of the hips) and
    side in pixels of the array that was searched, and by how many radians the person is turned clockwise."""

    center: tuple[float, float]
    side: float
    angle: float


@dataclass(frozen=True, slots=True)
class PersonFound:
    """A detected person, in pixels of the array that was searched. A detector that knows how the body lies gives
    `upright` besides; its `box` is then no more than the square around that."""

    box: Box
    confidence: float
    upright: Upright | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PoseFound:
    """The points of one person: `points` (N x 2, pixels of the array that was searched; they may lie outside of it) and
    how sure each is (`scores`, N, 0..1), in the order of the card's labels. `presence` is the probability, 0..1, that
    there is a person at all; None where the network has no such output."""

    points: Points
    scores: Scores
    presence: float | None = None


class Found(Protocol):
    """Anything with a box: a person, or an object with a label."""

    @property
    def box(self) -> Box: ...

    @property
    def confidence(self) -> float: ...


class PersonDetector(Model, Protocol):
    """Finds people, and perhaps other things, which then carry another `label` than `person`."""

    def detect(self, pixels: Pixels, at_least: float | None = None) -> Sequence[Found]:
        """What there is in height x width x 3 RGB uint8, most confident first.

        `at_least` is the least confidence, 0..1; None stands for the thresholds of the card.
        """
        ...


class PoseNetwork(Model, Protocol):
    """Places the points that its card's labels name on one person."""

    card: Card

    def pose(self, pixels: Pixels, person: PersonFound) -> PoseFound:
        """The points of `person` in height x width x 3 RGB uint8."""
        ...


def find_people(detector: PersonDetector, pixels: Pixels, at_least: float | None = None) -> list[PersonFound]:
    """The people among what the detector finds in height x width x 3 RGB uint8, most confident first."""
    return [
        found if isinstance(found, PersonFound) else PersonFound(found.box, found.confidence)
        for found in detector.detect(pixels, at_least)
        if getattr(found, "label", "person") == "person"
    ]
