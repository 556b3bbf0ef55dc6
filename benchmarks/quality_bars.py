"""What small, blurred and dark pictures do to face comparison: the measurement behind the bars of `QualityFilter`.

    python benchmarks/quality_bars.py --data FACES [--pairs 120]

FACES holds `lfw_pairs.txt` and `lfw_150/` (LFW, 150 x 150 colour crops). The second picture of each pair is made worse;
printed are how many of its faces are still found, how many pairs are told right, and the qualities of those faces.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import sightline
from sightline.errors import NoFace
from sightline.images.decode import read
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks.crops import largest_face
from sightline.tasks.face_details import FaceDescriber, FaceDetails
from sightline.tasks.similarity import Similarity

Seen = tuple[np.ndarray, FaceDetails]
Change = Callable[[Pixels], Pixels]


def smaller(side: int) -> Change:
    """The whole crop at `side` pixels, on a grey canvas: its face is about 0.7 of that."""

    def change(pixels: Pixels) -> Pixels:
        canvas = np.full((200, 200, 3), 128, np.uint8)
        canvas[:side, :side] = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        return canvas

    return change


def blurred(sigma: float) -> Change:
    return lambda pixels: cv2.GaussianBlur(pixels, (0, 0), sigma)


def darker(factor: float) -> Change:
    return lambda pixels: (pixels * factor).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "none": lambda pixels: pixels,
    **{f"{side} px": smaller(side) for side in (24, 32, 40, 48, 64, 80, 112)},
    **{f"blur {sigma}": blurred(sigma) for sigma in (1.5, 2.5, 4.0)},
    **{f"light x {factor}": darker(factor) for factor in (0.5, 0.2, 0.1, 0.05)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=120)
    arguments = parser.parse_args()
    settings = Settings.from_env()
    task = sightline.load("similarity", settings=settings)
    pairs = read_pairs(arguments.data / "lfw_pairs.txt")
    random.Random(1).shuffle(pairs)
    pairs = pairs[: arguments.pairs]

    def load(name: str) -> Pixels:
        return read(arguments.data / "lfw_150" / name, settings=settings).pixels

    first = [see(task, load(one)) for one, _, _ in pairs]
    print("change        found  same right  others right  confidence  width  sharpness  brightness")
    for name, change in CHANGES.items():
        second = [see(task, change(load(other))) for _, other, _ in pairs]
        rows = [
            (same, bool(task.embedder.distance(a[0], b[0]) < task.card.threshold("distance")), b[1])
            for a, b, (_, _, same) in zip(first, second, pairs, strict=True)
            if a is not None and b is not None
        ]
        same = [said for truth, said, _ in rows if truth]
        others = [not said for truth, said, _ in rows if not truth]
        faces = [details for _, _, details in rows]
        middle = [
            float(np.median([value(face) for face in faces]))
            for value in (
                lambda face: face.face.confidence,
                lambda face: face.face.box.width,
                lambda face: face.quality.sharpness,
                lambda face: face.quality.brightness,
            )
        ]
        print(
            f"{name:13} {len(rows) / len(pairs):5.2f}  {np.mean(same):10.3f}  {np.mean(others):12.3f}  "
            f"{middle[0]:10.2f}  {middle[1]:5.0f}  {middle[2]:9.0f}  {middle[3]:10.0f}"
        )


def read_pairs(path: Path) -> list[tuple[str, str, bool]]:
    """(first file, second file, whether both show one person)."""
    pairs = []
    for line in path.read_text().splitlines()[1:]:
        parts = line.split()
        if len(parts) == 3:
            pairs.append((f"{parts[0]}_{int(parts[1]):04d}.jpg", f"{parts[0]}_{int(parts[2]):04d}.jpg", True))
        elif len(parts) == 4:
            pairs.append((f"{parts[0]}_{int(parts[1]):04d}.jpg", f"{parts[2]}_{int(parts[3]):04d}.jpg", False))
    return pairs


def see(task: Similarity, pixels: Pixels) -> Seen | None:
    """The embedding and the details of the largest face; None where there is none."""
    picture = Picture.of(pixels)
    try:
        face, _ = largest_face(task.detector, task.mesher, picture, "the picture")
    except NoFace:
        return None
    details = FaceDescriber(task.detector, task.mesher).describe_face(picture, face)
    mesh = None if task.mesher is None else task.mesher.points(picture.pixels, face)[0]
    return task.embedder.embed(task.embedder.align(picture.pixels, face, mesh)[None])[0], details


if __name__ == "__main__":
    main()
