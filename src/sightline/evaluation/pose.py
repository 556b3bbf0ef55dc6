"""Poses: average precision over object keypoint similarity, OKS (COCO's keypoint challenge, 2016), by its own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.architectures.people import PersonFound
from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation.base import Progress, in_threads, nothing, skipped
from sightline.evaluation.coco_figures import CocoTruth, coco_figures, read_truth
from sightline.images.decode import read
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.tasks.pose import KEYPOINTS, Person, Pose

LEAST = 0.1
"""The detector's confidence from which on people count: precision and recall are weighed over all of them."""

Boxes = Literal["found", "labelled"]
"""Where the people's boxes come from: the task's own detector, or the labels."""


def evaluate(
    task: Pose, data: Path, workers: int, progress: Progress = nothing, *, boxes: Boxes = "found"
) -> dict[str, Any]:
    """COCO's figures on `data/images` and `data/person_keypoints.json`, over every picture that the file names, those
    without people included; `n` counts the labelled people who have points.

    A person's score is the detector's confidence times the mean confidence of COCO's 17 points, as is usual for
    networks that are shown one person at a time (Xiao et al. 2018, arXiv 1804.06208). Raises `InvalidOption`.
    """
    truth = read_truth(data, "person_keypoints.json")
    if "person" not in truth.categories:
        raise InvalidOption(f"{data / 'person_keypoints.json'} knows no category 'person'")
    labelled = _labelled(truth, data)
    reasons: dict[str, str] = {}
    judged: list[int] = []
    found: list[dict[str, Any]] = []

    def ask(path: Path) -> tuple[Person, ...] | str:
        try:
            if boxes == "found":
                return task(path, confidence=LEAST).people
            picture = read(path, settings=task.settings)
            return task.of(picture, [_at(picture, box) for box in labelled[truth.pictures[path]]]).people
        except InvalidImage as error:
            return error.code

    for path, people in in_threads(ask, truth.pictures, workers, progress):
        number = truth.pictures[path]
        if isinstance(people, str):
            reasons[path.name] = people
            continue
        judged.append(number)
        found += [
            {"image_id": number, "category_id": truth.categories["person"], **_result(person)} for person in people
        ]
    if not judged:
        raise InvalidOption(f"no picture of {data} could be judged")
    figures = coco_figures(truth, found, "keypoints", judged)
    figures.pop("by_label", None)  # there is one label
    return {
        **figures,
        "n": sum(len(labelled[number]) for number in judged),
        "pictures": len(judged),
        "boxes": task.detector.cards[0].identity.to_dict() if boxes == "found" else boxes,
        "skipped": skipped(reasons),
    }


def _labelled(truth: CocoTruth, data: Path) -> dict[int, list[Box]]:
    """The boxes (full-size pixels) of the people who have points, by the id of their picture."""
    people: dict[int, list[Box]] = {number: [] for number in truth.pictures.values()}
    for note in truth.dataset["annotations"]:
        points = note.get("keypoints")
        if not isinstance(points, list) or len(points) != 3 * len(KEYPOINTS) or "num_keypoints" not in note:
            raise InvalidOption(
                f"{data / 'person_keypoints.json'}: annotation {note.get('id')} has no {len(KEYPOINTS)} keypoints"
            )
        if note["num_keypoints"] > 0 and not note["iscrowd"]:
            people[note["image_id"]].append(Box(*map(float, note["bbox"])))
    return people


def _at(picture: Picture, box: Box) -> PersonFound:
    sx, sy = picture.scale
    return PersonFound(Box(box.x / sx, box.y / sy, box.width / sx, box.height / sy), 1.0)


def _result(person: Person) -> dict[str, Any]:
    points = [person.keypoints[name] for name in KEYPOINTS]
    return {
        "keypoints": [number for point in points for number in (point.x, point.y, 1.0)],
        "score": person.confidence * float(np.mean([point.confidence for point in points])),
    }
