"""`detect` against the same weights prepared and read as their own projects do it, on COCO pictures:

python benchmarks/detect_reference.py --data coco_mini

YOLOX's demo (Megvii-BaseDetection/YOLOX, demo/ONNXRuntime): bilinear into the corner of a grey input, suppression at
0.65 in each class. CenterNet in the package `human`: squeezed to the input bilinearly, every row of its output taken.
Models that are not here are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import sightline
from sightline.engines.registry import open_engine
from sightline.evaluation.coco_figures import coco_figures, read_truth
from sightline.evaluation.detect import LEAST, evaluate
from sightline.images.decode import read
from sightline.models.card import Card
from sightline.models.store import Store

Rows = np.ndarray
"""N x 6: left, top, right, bottom in pixels of the picture, score, class."""


def yolox(card: Card, engine: Any, pixels: np.ndarray) -> Rows:
    side = card.input.width
    ratio = min(side / pixels.shape[0], side / pixels.shape[1])
    height, width = int(pixels.shape[0] * ratio), int(pixels.shape[1] * ratio)
    boxed = np.full((side, side, 3), 114, np.uint8)
    boxed[:height, :width] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    (output,) = engine.run(np.ascontiguousarray(boxed[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32))
    rows, first = [], 0
    for stride in (8, 16, 32):
        count = side // stride
        for index in range(count * count):
            x, y, w, h, thing, *labels = output[0, first + index]
            best = int(np.argmax(labels))
            score = thing * labels[best]
            if score >= LEAST:
                x, y = (x + index % count) * stride, (y + index // count) * stride
                w, h = np.exp(w) * stride, np.exp(h) * stride
                rows.append([(x - w / 2) / ratio, (y - h / 2) / ratio, (x + w / 2) / ratio, (y + h / 2) / ratio])
                rows[-1] += [score, best]
        first += count * count
    found = np.array(rows, np.float32).reshape(-1, 6)
    boxes = [[float(x), float(y), float(r - x), float(b - y)] for x, y, r, b in found[:, :4]]
    # OpenCV's own suppression: another piece of code than the one that is measured.
    keep = cv2.dnn.NMSBoxesBatched(boxes, found[:, 4].tolist(), found[:, 5].astype(int).tolist(), LEAST, 0.65)
    return found[np.asarray(keep, int).reshape(-1)]


def centernet(card: Card, engine: Any, pixels: np.ndarray) -> Rows:
    side = card.input.width
    squeezed = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    outputs = engine.run(squeezed[None].astype(np.float32))
    rows = next(output for output in outputs if output.shape[-1] == 6)[0]
    return rows * np.array([*[pixels.shape[1] / side, pixels.shape[0] / side] * 2, 1, 1], np.float32)


REFERENCES: dict[str, Callable[[Card, Any, np.ndarray], Rows]] = {
    "centernet": centernet,
    **dict.fromkeys(("yolox-nano", "yolox-tiny", "yolox-s"), yolox),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="COCO's layout: images/ and instances.json")
    arguments = parser.parse_args()
    settings = sightline.Settings.from_env()
    store, truth = Store(settings, pull=False), read_truth(arguments.data)
    print("| model | AP | AP50 | AP by its project's own preparation | AP50 |\n|---|---|---|---|---|")
    for name, reference in REFERENCES.items():
        card = store.card(name)
        if store.state(card) != "ready":
            continue
        engine = open_engine(card.engine, store.weights(card), settings)
        found = [
            {
                "image_id": number,
                "category_id": truth.categories[card.labels[int(kind)]],
                "score": float(score),
                "bbox": [float(left), float(top), float(right - left), float(bottom - top)],
            }
            for path, number in truth.pictures.items()
            for left, top, right, bottom, score, kind in reference(card, engine, read(path).pixels)
        ]
        theirs = coco_figures(truth, found, "bbox", list(truth.pictures.values()))
        ours = evaluate(sightline.load("detect", model=name), arguments.data, workers=1)
        print(f"| `{name}` | {ours['ap']} | {ours['ap50']} | {theirs['ap']} | {theirs['ap50']} |", flush=True)


if __name__ == "__main__":
    main()
