"""Masks of things: COCO's figures on a folder of `images/` and `instances.json`, beside GrabCut's on the same boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.architectures.base import ObjectFound
from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation.base import Progress, in_threads, nothing, skipped
from sightline.evaluation.coco_figures import CocoTruth, coco_figures, read_truth
from sightline.evaluation.overlap import Bools, mask_figures
from sightline.images import rle
from sightline.images.geometry import Box
from sightline.images.grabcut import cut_plainly
from sightline.images.picture import Picture
from sightline.tasks.segment import Instance, Segment

LEAST, MOST = 0.05, 100
"""Answers from this confidence on count, at most so many a picture: an outline takes longer than a box."""

Results = list[dict[str, Any]]
Notes = Sequence[Mapping[str, Any]]


def evaluate(task: Segment, data: Path, workers: int, progress: Progress = nothing) -> dict[str, Any]:
    """`ap`, `ap50`, `ap75`, `ar`, `ap_interval` (`coco_figures`, of masks): the task from picture to mask.

    `people` has the same for people alone, and `people_in_true_boxes` where the labelled boxes take the place of the
    found ones (each with confidence 1), with `mean_iou` over people; `grabcut` and `grabcut_in_true_boxes` are
    GrabCut, seeded by the very same boxes of people; `things_in_true_boxes` are all other kinds. `person_iou` is the
    mean over pictures of people of the overlap of the map of kinds with the union of their masks.

    `n` labelled things on so many `pictures`. Raises `InvalidOption` for data that is not COCO's, and where
    pycocotools is not installed.
    """
    truth = read_truth(data)
    reasons: dict[str, str] = {}

    def ask(path: Path) -> _Judged | str:
        try:
            picture: Picture = task.ask({"image": path}, {}).image
        except InvalidImage as error:
            return error.code
        return _judge(task, picture, truth, truth.pictures[path])

    rows: list[_Judged] = []
    for path, judged in in_threads(ask, truth.pictures, workers, progress):
        if isinstance(judged, str):
            reasons[path.name] = judged
        else:
            rows.append(judged)
    if not rows:
        raise InvalidOption(f"no picture of {data} could be judged")
    numbers = [row.number for row in rows]
    people, things = _only(truth, {"person"}), _only(truth, set(truth.categories) - {"person"})

    def figures(of: CocoTruth, name: str) -> dict[str, Any]:
        found = [result for row in rows for result in row.results[name]]
        overlaps = [overlap for row in rows for overlap in row.overlaps.get(name, [])]
        mean = {"mean_iou": round(float(np.mean(overlaps)), 4), "n": len(overlaps)} if overlaps else {}
        measured = coco_figures(of, found, "segm", numbers) | mean
        if len(of.categories) == 1:
            measured.pop("by_label", None)  # one label's figure is the figure
        return measured

    semantic = [row.person_iou for row in rows if row.person_iou is not None]
    return {
        **figures(truth, "found"),
        "people": figures(people, "people"),
        "grabcut": figures(people, "grabcut"),
        "people_in_true_boxes": figures(people, "true_people"),
        "grabcut_in_true_boxes": figures(people, "true_grabcut"),
        "things_in_true_boxes": figures(things, "true_things"),
        "person_iou": round(float(np.mean(semantic)), 4) if semantic else None,
        "n": sum(row.labelled for row in rows),
        "pictures": len(rows),
        "skipped": skipped(reasons),
    }


@dataclass(frozen=True)
class _Judged:
    """A picture's answers as COCO's results, and their overlaps with the true masks, by contestant."""

    number: int
    labelled: int
    results: Mapping[str, Results]
    overlaps: Mapping[str, list[float]]
    person_iou: float | None


def _judge(task: Segment, picture: Picture, truth: CocoTruth, number: int) -> _Judged:
    notes = [note for note in truth.dataset["annotations"] if note["image_id"] == number]
    single = [note for note in notes if not note["iscrowd"] and min(note["bbox"][2:]) > 0]
    labelled = _labelled(single, picture, truth)
    true = [_mask(note, picture) for note in single]
    found = [thing for thing in task.detector.detect(picture.pixels, LEAST) if thing.label in truth.categories][:MOST]
    # Each contestant is asked once: our masks of people do not depend on the other things.
    answers = {
        "found": task.outline(picture, found),
        "grabcut": _by_grabcut(picture, [thing for thing in found if thing.label == "person"]),
    }
    answers["people"] = tuple(one for one in answers["found"] if one.label == "person")
    overlaps: dict[str, list[float]] = {}
    for name, wanted in (("true_people", True), ("true_things", False)):
        chosen = [index for index, thing in enumerate(labelled) if (thing.label == "person") == wanted]
        answers[name] = task.outline(picture, [labelled[index] for index in chosen])
        overlaps[name] = _overlaps(answers[name], [true[index] for index in chosen], picture)
    chosen = [index for index, thing in enumerate(labelled) if thing.label == "person"]
    answers["true_grabcut"] = _by_grabcut(picture, [labelled[index] for index in chosen])
    overlaps["true_grabcut"] = _overlaps(answers["true_grabcut"], [true[index] for index in chosen], picture)
    return _Judged(
        number,
        len(single),
        {name: _results(answer, picture, number, truth) for name, answer in answers.items()},
        overlaps,
        _person_iou(task, picture, [true[index] for index in chosen], _crowd(notes, picture, truth)),
    )


def _labelled(notes: Notes, picture: Picture, truth: CocoTruth) -> list[ObjectFound]:
    """The labelled things, as a detector would have found them in the decoded pixels."""
    names = {number: name for name, number in truth.categories.items()}
    by_x, by_y = picture.scale
    return [
        ObjectFound(names[note["category_id"]], 1.0, Box(x / by_x, y / by_y, width / by_x, height / by_y))
        for note in notes
        for x, y, width, height in [note["bbox"]]
    ]


def _by_grabcut(picture: Picture, people: Sequence[ObjectFound]) -> tuple[Instance, ...]:
    by_x, by_y = picture.scale
    patches = [cut_plainly(picture.pixels, one.box).scaled(by_x, by_y, picture.width, picture.height) for one in people]
    return tuple(
        Instance(one.label, one.confidence, one.box, patch, "grabcut")
        for one, patch in zip(people, patches, strict=True)
    )


def _results(found: Sequence[Instance], picture: Picture, number: int, truth: CocoTruth) -> Results:
    return [
        {
            "image_id": number,
            "category_id": truth.categories[instance.label],
            "score": instance.confidence,
            "segmentation": rle.encode(instance.patch, picture.width, picture.height),
        }
        for instance in found
    ]


def _only(truth: CocoTruth, kinds: set[str]) -> CocoTruth:
    """The labels of some kinds alone."""
    kept = {name: number for name, number in truth.categories.items() if name in kinds}
    dataset = {
        **truth.dataset,
        "categories": [entry for entry in truth.dataset["categories"] if entry["id"] in kept.values()],
        "annotations": [note for note in truth.dataset["annotations"] if note["category_id"] in kept.values()],
    }
    return CocoTruth(dataset, truth.pictures, kept)


def _mask(note: Mapping[str, Any], picture: Picture) -> Bools:
    """A label's own mask, painted by COCO's code."""
    try:
        from pycocotools import mask
    except ImportError:
        raise InvalidOption("COCO's figures need the extra: pip install 'sightline[coco]'") from None
    shape = note["segmentation"]
    if isinstance(shape, dict) and isinstance(shape["counts"], str):
        return rle.decode(shape)
    parts = mask.frPyObjects(shape, picture.height, picture.width)
    return np.asarray(mask.decode(mask.merge(parts) if isinstance(parts, list) else parts), np.bool_)


def _crowd(notes: Notes, picture: Picture, truth: CocoTruth) -> Bools:
    """Where people stand whom nobody has told apart."""
    person = truth.categories.get("person")
    crowd = np.zeros((picture.height, picture.width), np.bool_)
    for note in notes:
        if note["iscrowd"] and note["category_id"] == person:
            crowd |= _mask(note, picture)
    return crowd


def _overlaps(found: Sequence[Instance], true: Sequence[Bools], picture: Picture) -> list[float]:
    masks = (instance.patch.full(picture.width, picture.height) for instance in found)
    return [mask_figures(mask, wanted)["jaccard"] for mask, wanted in zip(masks, true, strict=True)]


def _person_iou(task: Segment, picture: Picture, people: Sequence[Bools], crowd: Bools) -> float | None:
    """The overlap of the map of kinds with all people; what lies in a crowd counts neither way. None without people,
    or where the map does not know them."""
    labels = task.label(picture)
    if not people or "person" not in labels.labels:
        return None
    wanted = np.any(people, axis=0)
    said = (labels.values == labels.labels.index("person")) & (wanted | ~crowd)
    return mask_figures(said, wanted)["jaccard"]
