"""Models that fulfil the protocols of `sightline.architectures.base`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import FaceFound, Mask, ObjectFound
from sightline.images.geometry import Box, Points
from sightline.images.picture import Pixels
from sightline.models.card import Card
from tests.fakes.cards import card


def found(x: float, y: float, width: float, height: float, confidence: float = 0.9) -> FaceFound:
    """A face with its eyes where eyes are."""
    eyes = {"right_eye": (x + width * 0.3, y + height * 0.4), "left_eye": (x + width * 0.7, y + height * 0.4)}
    return FaceFound(Box(x, y, width, height), confidence, eyes)


class _Fake:
    def __init__(self, made: Card) -> None:
        self.card = made
        self.warmed = 0

    @property
    def cards(self) -> tuple[Card, ...]:
        return (self.card,)

    def warm(self) -> None:
        self.warmed += 1


class FakeDetector(_Fake):
    """Finds the faces it was given, in every picture, where they are certain enough."""

    def __init__(self, faces: Iterable[FaceFound] = ()) -> None:
        super().__init__(card(name="fake-detector", thresholds={"score": 0.5}))
        self.faces = sorted(faces, key=lambda face: -face.confidence)

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        least = self.card.threshold("score") if at_least is None else at_least
        return [face for face in self.faces if face.confidence >= least]


class FakeObjects(_Fake):
    """Finds every evenly coloured rectangle on black that lies in the picture: red ones are apples, others pears.

    The larger, the surer; what is smaller than `smallest` pixels along both sides of the searched array is not seen.
    """

    def __init__(self, smallest: float = 0.0, side: int = 64) -> None:
        names = {"labels": ["apple", "pear"], "thresholds": {"score": 0.2, "iou": 0.5}}
        super().__init__(card(name="fake-objects", input={"width": side, "height": side}, **names))
        self.smallest = smallest

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        import cv2

        least = self.card.threshold("score") if at_least is None else at_least
        seen = []
        for channel, label in enumerate(self.card.labels):
            count, _, stats, _ = cv2.connectedComponentsWithStats((pixels[..., channel] > 127).astype(np.uint8))
            for x, y, width, height in stats[1:count, :4].astype(float):
                if max(width, height) >= self.smallest * max(pixels.shape[:2]):
                    share = float(min(1.0, 0.5 + width * height / pixels[..., 0].size))
                    seen.append(ObjectFound(label, share, Box(x, y, width, height)))
        return sorted((one for one in seen if one.confidence >= least), key=lambda one: -one.confidence)


class BrightFaces(_Fake):
    """A detector for drawn pictures: every white rectangle on black is a face."""

    def __init__(self) -> None:
        super().__init__(card(name="fake-bright"))

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        import cv2

        count, _, stats, _ = cv2.connectedComponentsWithStats((pixels.max(axis=2) > 40).astype(np.uint8))
        return [found(*map(float, stats[index, :4])) for index in range(1, count)]


class FakeMesher(_Fake):
    """The box's corners and middle as its points, as sure as it was told to be."""

    def __init__(self, confidence: float = 1.0) -> None:
        super().__init__(card(name="fake-mesher", thresholds={"score": 0.5}))
        self.confidence = confidence

    def points(self, pixels: Pixels, face: FaceFound) -> tuple[Points, float]:
        left, top, right, bottom = face.box.corners
        middle = ((left + right) / 2, (top + bottom) / 2)
        return np.array([(left, top), (right, bottom), middle], np.float32), self.confidence


class FakeEmbedder(_Fake):
    """A face is its mean colour, 0..1 each: distances between drawn faces are known beforehand."""

    needs_mesh = True

    def __init__(self) -> None:
        options = {"middle": 0.5, "slope": 8.0}
        super().__init__(card(name="fake-embedder", thresholds={"distance": 0.4}, options=options))

    def align(self, pixels: Pixels, face: FaceFound, mesh: Points | None) -> Pixels:
        assert mesh is not None
        left, top, right, bottom = (round(float(value)) for value in (*mesh[0], *mesh[1]))
        mean = pixels[top:bottom, left:right].reshape(-1, 3).mean(axis=0)
        return np.broadcast_to(mean.astype(np.uint8), (4, 4, 3)).copy()

    def embed(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return (faces.mean(axis=(1, 2)) / 255).astype(np.float32)

    def distance(self, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
        return float(np.linalg.norm(a - b))


class FakeSegmenter(_Fake):
    """The mask it was given, or what is bright."""

    def __init__(self, mask: Mask | None = None) -> None:
        super().__init__(card(name="fake-segmenter", thresholds={"mask": 0.5}))
        self.given = mask

    def mask(self, pixels: Pixels) -> Mask:
        if self.given is not None:
            return self.given
        return (pixels.max(axis=2) > 128).astype(np.float32)


class FakeClassifier(_Fake):
    """Every face shows the first of its card's labels, surely."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__(card(name="fake-classifier", labels=list(labels)))

    def scores(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(faces), len(self.card.labels)), np.float32)
        rows[:, 0] = 1
        return rows
