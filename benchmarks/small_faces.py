"""Small faces in large photos: the labelled group photos put side by side on one sheet, at several sizes.

    python benchmarks/small_faces.py --data photos [--without-people coco_mini]

`--without-people` names a folder with COCO's `instances.json` and `images/`: every face found in its pictures that
have no person labelled counts as a false one.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

import sightline
from sightline.evaluation.faces import match, read_boxes
from sightline.images.decode import read
from sightline.images.geometry import Boxes
from sightline.images.picture import Pixels
from sightline.tasks.base import Task

CELL = (500, 400)
COLUMNS = 4


def sheet(truth: dict[Path, Boxes]) -> tuple[Pixels, Boxes]:
    """All pictures on one grey sheet, each cut to a cell, and the boxes that are whole on it."""
    width, height = CELL
    rows = -(-len(truth) // COLUMNS)
    out = np.full((rows * height, COLUMNS * width, 3), 120, np.uint8)
    kept = []
    for index, (path, boxes) in enumerate(truth.items()):
        top, left = (index // COLUMNS) * height, (index % COLUMNS) * width
        pixels = read(path).pixels[:height, :width]
        out[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        kept.append(boxes[boxes[:, 3] < height] + np.array([left, top, left, top], np.float32))
    return out, np.concatenate(kept)


def without_people(folder: Path) -> list[Path]:
    """The pictures of a COCO folder in which no person is labelled."""
    labels = json.loads((folder / "instances.json").read_text())
    person = next(c["id"] for c in labels["categories"] if c["name"] == "person")
    peopled = {a["image_id"] for a in labels["annotations"] if a["category_id"] == person}
    return [folder / "images" / i["file_name"] for i in labels["images"] if i["id"] not in peopled]


def row(task: Task, pixels: Pixels, truth: Boxes, scale: float) -> str:
    """One line of the table: the sheet at this scale."""
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    started = time.perf_counter()
    found = task(scaled).faces
    took = (time.perf_counter() - started) * 1000
    boxes = np.array([face.box.corners for face in found], np.float32).reshape(-1, 4)
    hits = len(match(boxes, truth * np.float32(scale), 0.5))
    side = float(np.median(truth[:, 2] - truth[:, 0])) * scale
    return f"| {size[0]} px | {side:.0f} px | {hits} of {len(truth)} | {len(found) - hits} | {took:.0f} ms |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--without-people", type=Path)
    arguments = parser.parse_args()
    task = sightline.load("faces")
    pixels, truth = sheet(read_boxes(arguments.data))
    print("| sheet | median face | found | false | time |\n|---|---|---|---|---|")
    for scale in (2.0, 1.0, 0.64, 0.5):
        print(row(task, pixels, truth, scale))
    if arguments.without_people:
        pictures = without_people(arguments.without_people)
        false = sum(len(task(path).faces) for path in pictures)
        print(f"{false} faces found in {len(pictures)} pictures without people")


if __name__ == "__main__":
    main()
