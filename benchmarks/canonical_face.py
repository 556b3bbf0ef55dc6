"""The mean face that head poses are solved against, from the face mesh of many portraits.

    python benchmarks/canonical_face.py --data portraits --out src/sightline/tasks/details/canonical_face.csv

`--data` is a folder with `images/`. Generalised Procrustes analysis (Gower 1975) of the 468 points in three dimensions
that the face mesh gives for the largest face of each portrait, made exactly symmetric, scaled so that the eyes are
63 mm apart (the adult mean: Dodgson 2004), and turned about the axis through the eyes until the median portrait looks
straight ahead.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

import sightline
from sightline.architectures.base import FaceFound
from sightline.architectures.facemesh import FaceMesh
from sightline.images.decode import read
from sightline.images.geometry import apply, invert, warp
from sightline.images.picture import Pixels
from sightline.tasks.details.pose import angles, solve_head

Shape = npt.NDArray[np.float64]
"""N x 3: x to the picture's right, y down, z away from the camera."""

EYES = ((33, 133), (362, 263))
EYE_DISTANCE = 6.3
# Mirror pairs and midline points that start the search for all the others.
SEEDS = ((33, 263), (133, 362), (61, 291), (234, 454), (1, 1), (4, 4), (10, 10), (152, 152))


class DeepMesh(FaceMesh):
    """The face mesh with its third dimension."""

    def shape(self, pixels: Pixels, face: FaceFound) -> Shape:
        """468 x 3 in pixels of `pixels`; z from the middle of the head, negative towards the camera."""
        crop, size = self._crop(face), self.card.input.width
        outputs = self.engine.run(self.prepare(warp(pixels, crop, size, size)[None]))
        points = max((output.reshape(-1) for output in outputs), key=len).reshape(-1, 3)
        back = invert(crop)
        return np.column_stack([apply(back, points[:, :2]), points[:, 2] * np.hypot(back[0, 0], back[1, 0])]).astype(
            float
        )


def aligned(source: Shape, target: Shape, at: Shape | None = None) -> Shape:
    """`at` (or `source`) moved by the similarity that best brings `source` to `target` (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * signs).sum() / (a**2).sum()
    moved = source if at is None else at
    return scale * (moved - source.mean(axis=0)) @ (u @ np.diag(signs) @ vt).T + target.mean(axis=0)


def mean_shape(shapes: list[Shape], rounds: int = 8) -> Shape:
    mean = shapes[0]
    for _ in range(rounds):
        mean = np.median([aligned(shape, mean) for shape in shapes], axis=0)
        mean = (mean - mean.mean(axis=0)) / np.linalg.norm(mean - mean.mean(axis=0))
    return mean


def mirror_pairs(mean: Shape) -> npt.NDArray[np.intp]:
    """For each point the index of its mirror image: iterated closest points, begun with `SEEDS`."""
    reflected = mean * (-1, 1, 1)
    first = np.array([*SEEDS, *((b, a) for a, b in SEEDS)])
    moved = aligned(reflected[first[:, 0]], mean[first[:, 1]], reflected)
    for _ in range(20):
        pairs = np.linalg.norm(moved[:, None] - mean[None], axis=2).argmin(axis=1)
        moved = aligned(reflected, mean[pairs])
    if not (pairs[pairs] == np.arange(len(mean))).all():
        raise SystemExit("the mean face is not symmetric enough: too few portraits?")
    return pairs


def canonical(shapes: list[Shape]) -> Shape:
    """468 x 3 centimetres: x to the picture's right, y down, z away from the camera, origin between the eyes."""
    mean = mean_shape(shapes)
    pairs = mirror_pairs(mean)
    mean = (mean + aligned(mean * (-1, 1, 1), mean[pairs])[pairs]) / 2
    across = np.linalg.svd(mean - mean[pairs])[2][0]
    right = across * np.sign(across @ (mean[EYES[1][1]] - mean[EYES[0][0]]))
    away = np.array([0.0, 0.0, 1.0]) - right[2] * right
    away /= np.linalg.norm(away)
    left_eye, right_eye = (mean[list(eye)].mean(axis=0) for eye in EYES)
    face = (mean - (left_eye + right_eye) / 2) @ np.stack([right, np.cross(away, right), away]).T
    face *= EYE_DISTANCE / np.linalg.norm(left_eye - right_eye)
    # Half of the portraits look up from here, half look down.
    for _ in range(3):
        tilt = math.radians(float(np.median([looks_up(face, shape) for shape in shapes])))
        cos, sin = math.cos(tilt), math.sin(tilt)
        face = face @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]]).T
    return face


def looks_up(face: Shape, shape: Shape) -> float:
    """The pitch in degrees of a portrait, were `face` the one that looks straight ahead."""
    head = solve_head(shape[:, :2].astype(np.float32), face)
    return 0.0 if head is None else angles(head.rotation).pitch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    task = sightline.load("similarity")
    mesher = DeepMesh(task.mesher.card, task.mesher.engine)
    shapes = []
    for path in sorted((arguments.data / "images").iterdir()):
        pixels = read(path).pixels
        faces = task.detector.detect(pixels)
        if faces:
            shapes.append(mesher.shape(pixels, max(faces, key=lambda face: face.box.area)))
    face = canonical(shapes)
    np.savetxt(arguments.out, face, fmt="%.3f", delimiter=",")
    tilt = np.median([looks_up(face, shape) for shape in shapes])
    print(f"{len(shapes)} portraits, {len(face)} points, median pitch {tilt:.2f} degrees")


if __name__ == "__main__":
    main()
