"""Detection of things: COCO's figures on a folder of `images/` and `instances.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation.base import Progress, in_threads, nothing, skipped
from sightline.evaluation.coco_figures import coco_figures, read_truth
from sightline.tasks.detect import Detect, DetectAnswer

LEAST = 0.01
"""The confidence from which on answers count: precision and recall are weighed over all of them, as COCO does."""


def evaluate(
    task: Detect, data: Path, workers: int, progress: Progress = nothing, *, tiles: bool = False
) -> dict[str, Any]:
    """`ap`, `ap50`, `ap75`, `ar`, `ap_interval`, `by_label` (`coco_figures`); `n` labelled things on
    so many `pictures`.

    An answer whose label the data does not know counts nowhere; `kinds` says how many of the data's categories with
    labels the model knows, as a fraction. Raises `InvalidOption` for data that is not COCO's.
    """
    truth = read_truth(data)
    found: list[dict[str, Any]] = []
    judged: list[int] = []
    reasons: dict[str, str] = {}

    def ask(path: Path) -> DetectAnswer | str:
        try:
            return task(path, confidence=LEAST, tiles=tiles)
        except InvalidImage as error:
            return error.code

    for path, answer in in_threads(ask, truth.pictures, workers, progress):
        if isinstance(answer, str):
            reasons[path.name] = answer
            continue
        judged.append(truth.pictures[path])
        found += [
            {
                "image_id": truth.pictures[path],
                "category_id": truth.categories[thing.label],
                "score": thing.confidence,
                "bbox": [thing.box.x, thing.box.y, thing.box.width, thing.box.height],
            }
            for thing in answer.objects
            if thing.label in truth.categories
        ]
    if not judged:
        raise InvalidOption(f"no picture of {data} could be judged")
    labelled = [note for note in truth.dataset["annotations"] if note["image_id"] in judged and not note["iscrowd"]]
    used = {note["category_id"] for note in labelled}
    known = {truth.categories[label] for label in task.detector.card.labels if label in truth.categories}
    return {
        **coco_figures(truth, found, "bbox", judged),
        "n": len(labelled),
        "pictures": len(judged),
        "kinds": f"{len(used & known)}/{len(used)}",
        "skipped": skipped(reasons),
    }
