"""COCO's own figures (Lin et al. 2014, arXiv 1405.0312) for boxes, masks and keypoints, by its reference code."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption
from sightline.evaluation.base import folder

Kind = Literal["bbox", "segm", "keypoints"]

DRAWS = 300
"""How many times the pictures are drawn anew for the confidence interval."""
_MOST = {"bbox": 100, "segm": 100, "keypoints": 20}


@dataclass(frozen=True, slots=True)
class CocoTruth:
    """The labels of a folder: COCO's JSON, the id of each picture by its path, that of each category by its name."""

    dataset: Mapping[str, Any]
    pictures: Mapping[Path, int]
    categories: Mapping[str, int]


def read_truth(data: Path, name: str = "instances.json") -> CocoTruth:
    """What `data/NAME` (COCO's JSON) tells of the pictures in `data/images`.

    Raises `InvalidOption` where the file is missing or is not COCO's, or a picture is missing.
    """
    path = folder(data) / name
    try:
        dataset = json.loads(path.read_text("utf-8"))
        pictures = {data / "images" / entry["file_name"]: int(entry["id"]) for entry in dataset["images"]}
        categories = {str(entry["name"]): int(entry["id"]) for entry in dataset["categories"]}
        for note in dataset["annotations"]:
            _, _, width, height = note["bbox"]
            note.setdefault("iscrowd", 0)
            note.setdefault("area", width * height)
            if note["image_id"] not in pictures.values() or note["category_id"] not in categories.values():
                raise ValueError(f"annotation {note.get('id')} is of no picture or no category of the file")
    except OSError as error:
        raise InvalidOption(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidOption(f"{path} is not COCO's: {error!r}") from None
    absent = [picture for picture in pictures if not picture.is_file()]
    if absent:
        raise InvalidOption(f"{path} names {len(absent)} pictures that are not there, {absent[0]} for one")
    return CocoTruth(dataset, pictures, categories)


def coco_figures(
    truth: CocoTruth, found: Sequence[Mapping[str, Any]], kind: Kind, judged: Sequence[int]
) -> dict[str, Any]:
    """`ap` (mean over overlaps of 0.50 to 0.95), `ap50`, `ap75`, `ar` (recall with at most 100 answers a picture, 20
    for keypoints), `ap_interval`: the middle 95% of `ap` when the pictures are drawn anew, with replacement; and
    `by_label`: `ap` of each category that has labels.

    `found` holds COCO's results (`image_id`, `category_id`, `score`, and `bbox` for boxes, `segmentation` and no `bbox`
    for masks, `keypoints` for keypoints); only pictures of `judged` (ids) count. Raises `InvalidOption`
    where pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise InvalidOption("COCO's figures need the extra: pip install 'sightline[coco]'") from None
    # A category without labels has no figure; leaving it out here saves its work in every draw.
    labelled = {note["category_id"] for note in truth.dataset["annotations"] if note["image_id"] in judged}
    if not found or not labelled:
        return {"ap": 0.0, "ap50": 0.0, "ap75": 0.0, "ar": 0.0, "ap_interval": [0.0, 0.0], "by_label": {}}
    with _silence():
        labels = COCO()
        labels.dataset = dict(truth.dataset)
        labels.createIndex()
        judge = COCOeval(labels, labels.loadRes([dict(entry) for entry in found]), kind)
        judge.params.imgIds, judge.params.catIds = sorted(judged), sorted(labelled)
        judge.params.maxDets = [_MOST[kind]]
        judge.params.areaRng, judge.params.areaRngLbl = [judge.params.areaRng[0]], ["all"]
        judge.evaluate()
        precision, recall = _accumulate(judge)
        aps = list(_drawn(judge))
    names = {number: name for name, number in truth.categories.items()}
    by_label = {names[number]: precision[:, :, index] for index, number in enumerate(judge.params.catIds)}
    return {
        "ap": _mean(precision),
        "ap50": _mean(precision[0]),
        "ap75": _mean(precision[5]),
        "ar": _mean(recall),
        "ap_interval": [round(float(np.percentile(aps, share)), 4) for share in (2.5, 97.5)],
        "by_label": {name: _mean(values) for name, values in by_label.items() if (values > -1).any()},
    }


def _accumulate(judge: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    judge.accumulate()
    return judge.eval["precision"], judge.eval["recall"]


def _drawn(judge: Any) -> Iterator[float]:
    """`ap` of the same answers, with the pictures drawn anew each time; always the same draws."""
    pictures = len(judge.params.imgIds)
    # Kept by category, then picture: what was matched in a picture does not depend on the other pictures.
    rows = [judge.evalImgs[start : start + pictures] for start in range(0, len(judge.evalImgs), pictures)]
    random = np.random.default_rng(0)
    for _ in range(DRAWS):
        chosen = random.integers(0, pictures, pictures)
        judge.evalImgs = [row[index] for row in rows for index in chosen]
        yield _mean(_accumulate(judge)[0])


def _mean(values: npt.NDArray[np.float64]) -> float:
    """The mean over what exists: -1 stands for a category without a label."""
    known = values[values > -1]
    return round(float(known.mean()), 4) if known.size else 0.0


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """pycocotools prints its progress on stdout, which belongs to the figures."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
