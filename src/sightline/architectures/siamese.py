"""Siamese face networks: one tower, run on each face; two faces are compared by the distance of its vectors."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, FaceFound
from sightline.errors import InvalidCard
from sightline.images.geometry import Affine, Points, resize, similarity_transform, square_crop, warp
from sightline.images.picture import Pixels

Vectors = npt.NDArray[np.float32]

# Eye centres, nose tip and mouth corners, the person's right ones first, in a chip of side 1: medians of aligned
# CelebA faces (Liu et al. 2015), measured with the face mesh.
TEMPLATE = np.array([[38.7, 51.5], [73.4, 51.5], [56.1, 75.3], [41.1, 87.4], [71.9, 87.4]], np.float32) / 112


def five_points(mesh: Points) -> Points:
    """The points of `TEMPLATE` (5 x 2) among the 468 of the face mesh."""
    right, left = (mesh[33] + mesh[133]) / 2, (mesh[362] + mesh[263]) / 2
    return np.asarray(np.stack([right, left, mesh[1], mesh[61], mesh[291]]), np.float32)


def _euclidean(a: Vectors, b: Vectors) -> float:
    return float(np.linalg.norm(a - b))


def _squared(a: Vectors, b: Vectors) -> float:
    return float(np.square(a - b).sum())


def _manhattan(a: Vectors, b: Vectors) -> float:
    return float(np.abs(a - b).sum())


def _cosine(a: Vectors, b: Vectors) -> float:
    return float(1 - a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _signed(a: Vectors, b: Vectors) -> float:
    apart, half = np.abs(a - b), len(a) // 2
    return float(apart[:half].sum() - apart[half:].sum())


METRICS: dict[str, Callable[[Vectors, Vectors], float]] = {
    "euclidean": _euclidean,
    "squared": _squared,
    "manhattan": _manhattan,
    "cosine": _cosine,
    # Manhattan over the first half of the vectors less that over the second: a Manhattan distance whose weights,
    # folded into the tower, have both signs (Koch et al. 2015).
    "signed": _signed,
}


class Siamese(Architecture):
    """Card options: `crop` says what the tower sees: "aligned" (five mesh points brought to `TEMPLATE`; the box where
    there is no mesh), "box" (the square around the face's box, its side times `margin`, its centre moved down by
    `shift_down` sides) or "whole" (the whole picture, squeezed). `metric` is one of `METRICS`. With `mirror`, a face
    and its mirror image are averaged."""

    needs_mesh = False

    def align(self, pixels: Pixels, face: FaceFound, mesh: Points | None) -> Pixels:
        """The input height x input width x 3 chip of a face, RGB uint8; `mesh` is in pixels of `pixels`."""
        spec, crop = self.card.input, self.card.options.get("crop", "box")
        if crop == "whole":
            return resize(pixels, spec.width, spec.height)
        if crop == "aligned" and mesh is not None:
            chip = np.asarray(TEMPLATE * np.array([spec.width, spec.height]), np.float32)
            affine = similarity_transform(five_points(mesh), chip)
        elif crop in ("aligned", "box"):
            affine = self._square(face)
        else:
            raise InvalidCard(f"{self.card.name}: the option crop is {crop!r}; it is aligned, box or whole")
        return warp(pixels, affine, spec.width, spec.height, border=cv2.BORDER_REPLICATE)

    def embed(self, faces: npt.NDArray[np.uint8]) -> Vectors:
        """N x D float32 for N x height x width x 3 RGB uint8 chips of `align`."""
        vectors = self._run(faces)
        if not self.card.options.get("mirror", False):
            return vectors
        return np.asarray((vectors + self._run(faces[:, :, ::-1])) / 2, np.float32)

    def distance(self, a: Vectors, b: Vectors) -> float:
        """How far apart two vectors (D numbers each) are, by the card's metric."""
        metric = str(self.card.options.get("metric", "euclidean"))
        if metric not in METRICS:
            raise InvalidCard(f"{self.card.name}: the option metric is {metric!r}; it is one of {', '.join(METRICS)}")
        return METRICS[metric](a, b)

    def _run(self, faces: npt.NDArray[np.uint8]) -> Vectors:
        (vectors,) = self.engine.run(self.prepare(faces))
        return np.asarray(vectors, np.float32).reshape(len(faces), -1)

    def _square(self, face: FaceFound) -> Affine:
        options, box = self.card.options, face.box
        side = max(box.width, box.height)
        center = (box.x + box.width / 2, box.y + box.height / 2 + side * float(options.get("shift_down", 0.0)))
        return square_crop(center, side * float(options.get("margin", 1.0)), 0.0, self.card.input.width)
