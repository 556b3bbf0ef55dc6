"""Face detection: recall and precision at an overlap of one half (Everingham et al. 2010)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InvalidOption
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.images.geometry import Boxes, iou
from sightline.tasks.faces import Faces


def read_boxes(data: Path) -> dict[Path, Boxes]:
    """The labelled boxes (left, top, right, bottom) of dlib's XML files in a folder, by picture. A picture named
    `NAME.jpg` in `PREFIX_*.xml` may lie there as `PREFIX_NAME.jpg`."""
    found: dict[Path, Boxes] = {}
    for file in sorted(folder(data).glob("*.xml")):
        try:
            # The evaluator's own files: no request ever reaches this parser.
            images = ElementTree.parse(file).getroot().iter("image")  # noqa: S314
        except ElementTree.ParseError as error:
            raise InvalidOption(f"{file}: {error}") from None
        prefix = file.stem.rsplit("_", 1)[0]
        for image in images:
            name = str(image.get("file"))
            path = next((p for p in (data / name, data / f"{prefix}_{name}") if p.is_file()), None)
            if path is None:
                raise InvalidOption(f"{file} names {name}, which is not in {data}")
            sides = [[float(box.get(k, "0")) for k in ("left", "top", "width", "height")] for box in image.iter("box")]
            boxes = np.array(sides, np.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            found[path] = boxes
    if not found:
        raise InvalidOption(f"{data} has no XML files with boxes")
    return found


def evaluate(task: Faces, data: Path, workers: int, progress: Progress = nothing) -> dict[str, Any]:
    """Recall and precision over all labelled boxes of a folder; each box is matched once, best first."""
    truth = read_boxes(data)
    matched = found_count = wanted = 0
    overlaps: list[float] = []
    for path, answer in in_threads(task, truth, workers, progress):
        boxes = np.array([face.box.corners for face in answer.faces], np.float32).reshape(-1, 4)
        hits = match(boxes, truth[path], 0.5)
        matched += len(hits)
        overlaps += hits
        found_count += len(boxes)
        wanted += len(truth[path])
    return {
        "recall": round(matched / max(wanted, 1), 4),
        "precision": round(matched / max(found_count, 1), 4),
        "mean_iou": round(float(np.mean(overlaps)), 4) if overlaps else 0.0,
        "n": wanted,
        "pictures": len(truth),
        "skipped": skipped({}),
    }


def match(found: Boxes, truth: Boxes, threshold: float) -> list[float]:
    """The overlaps of found boxes (best first) with the labelled boxes they match, each label at most once."""
    if not len(found) or not len(truth):
        return []
    overlaps = iou(found, truth)
    hits = []
    for row in overlaps:
        best = int(np.argmax(row))
        if row[best] >= threshold:
            hits.append(float(row[best]))
            overlaps[:, best] = 0
    return hits
