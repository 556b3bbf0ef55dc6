"""What the families of networks have in common, and the seams that tasks see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from sightline.engines.base import Array, Engine, ones_like
from sightline.images.geometry import Box, Points
from sightline.images.patch import Window
from sightline.images.picture import Pixels
from sightline.models.card import Card

Mask = npt.NDArray[np.float32]
"""Height x width, 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceFound:
    """A detected face, in pixels of the array that was searched. `points` maps a landmark's name to (x, y);
    left and right are the person's own."""

    box: Box
    confidence: float
    points: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectFound:
    """A detected thing, in pixels of the array that was searched: one of its card's labels, and how sure, 0..1."""

    label: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What a network saw on a film: the probability of each pixel, and the probability, 0..1, that the picture is a
    chest X-ray at all (None where the network has no judge)."""

    mask: Mask
    chest_xray: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What a network made of a picture: a confidence, 0..1, for each of its labels (float32), and how far the picture
    lies from everything the network was taught (None where it cannot tell)."""

    confidences: npt.NDArray[np.float32]
    distance: float | None


class Architecture:
    """A card and an engine, made into something that understands pictures. Safe to share between threads."""

    def __init__(self, card: Card, engine: Engine) -> None:
        self.card = card
        self.engine = engine

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards behind this: its own."""
        return (self.card,)

    def warm(self) -> None:
        """Run once on ones: after it, the first real picture is as fast as the second."""
        self.engine.run(*map(ones_like, self.engine.inputs))

    def prepare(self, batch: npt.NDArray[np.uint8]) -> Array:
        """N x height x width x 3 RGB bytes of the input's size (N at least 1), as the card says the network wants them,
        float32."""
        spec = self.card.input
        if spec.colour == "BGR":
            batch = batch[..., ::-1]
        elif spec.colour == "L":
            batch = np.stack([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in batch])[..., None]
        height, width, channels = batch.shape[1:]
        # Looking up 256 values gives the very numbers that computing each byte does, at a fifth of the time.
        rows = np.ascontiguousarray(batch).reshape(-1, width, channels)
        values = cv2.LUT(rows, self._values).reshape(-1, height, width, channels)
        if spec.layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, np.float32)

    @cached_property
    def _values(self) -> npt.NDArray[np.float32]:
        """What each byte becomes in each channel: 1 x 256 x channels."""
        spec = self.card.input
        channels = 1 if spec.colour == "L" else 3
        # One number a channel: a grey input's card may leave out mean and scale, whose defaults are for three.
        mean, scale = (np.array(numbers[:channels], np.float32) for numbers in (spec.mean, spec.scale))
        return ((np.arange(256, dtype=np.float32)[:, None] - mean) * scale)[None]


class Model(Protocol):
    """What is true of every model: it knows its cards, and can be warmed."""

    @property
    def cards(self) -> tuple[Card, ...]: ...

    def warm(self) -> None: ...


class FaceDetector(Model, Protocol):
    """Finds faces."""

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        """Every face of height x width x 3 RGB uint8, most confident first.

        `at_least` is the least confidence, 0..1; None stands for the thresholds of the card.
        """
        ...


class ObjectDetector(Model, Protocol):
    """Finds things of the kinds that its card's labels name."""

    card: Card

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        """Every thing on height x width x 3 RGB uint8, most confident first.

        `at_least` is the least confidence, 0..1; None stands for the threshold of the card.
        """
        ...


class FaceMesher(Model, Protocol):
    """Places points on a face."""

    card: Card

    def points(self, pixels: Pixels, face: FaceFound) -> tuple[Points, float]:
        """The face's points (N x 2, pixels of `pixels`) and the confidence, 0..1, that there is a face."""
        ...


class FaceEmbedder(Model, Protocol):
    """Turns faces into vectors whose distance tells people apart."""

    card: Card
    needs_mesh: bool
    """Whether `align` needs the points of a face mesh."""

    def align(self, pixels: Pixels, face: FaceFound, mesh: Points | None) -> Pixels:
        """The height x width x 3 chip of a face whose mesh points (pixels of `pixels`) are `mesh`, if there is one."""
        ...

    def embed(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """N x D vectors for N x height x width x 3 RGB uint8 chips of `align`."""
        ...

    def distance(self, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
        """How far apart two vectors (D numbers each) are: the measure that the card's threshold is in."""
        ...


class Segmenter(Model, Protocol):
    """Marks the pixels that belong to something."""

    card: Card

    def mask(self, pixels: Pixels) -> Mask:
        """The probability of each pixel, at the network's own resolution, for the whole of `pixels`."""
        ...


@runtime_checkable
class SemanticSegmenter(Segmenter, Protocol):
    """Names every pixel."""

    def classes(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """The index of each pixel's label in the card's labels, at the network's own resolution, for all of
        `pixels`."""
        ...


class FigureSegmenter(Model, Protocol):
    """Marks the one person that a box is drawn around."""

    card: Card

    def figure(self, pixels: Pixels, box: Box, window: Window) -> Mask:
        """The log-odds, -4..4, that each pixel of the window (rows x columns) shows the person in `box`."""
        ...


class FilmSegmenter(Segmenter, Protocol):
    """Marks the lungs on a film, and judges whether it is one."""

    def film(self, pixels: Pixels) -> Film:
        """The mask of `mask` with the judge's word."""
        ...


class Labeller(Model, Protocol):
    """Names what a whole picture shows."""

    def classify(self, pixels: Pixels) -> Named:
        """The confidence of each of the card's labels for rows x columns x 3 RGB uint8."""
        ...


class FaceClassifier(Model, Protocol):
    """Names what a face shows."""

    card: Card

    def scores(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """N x labels, each row summing to 1, for N x height x width x 3 RGB uint8 crops of the card's input size."""
        ...
