"""Segmentation: overlap and surface distances, means over pictures. The true mask is read after the answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation import split
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.evaluation.coco import category_masks
from sightline.evaluation.overlap import boundary_f, mask_figures, surface_distances
from sightline.tasks.base import Task

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


Truth = dict[Path, Callable[[], npt.NDArray[np.bool_]]]
"""Each picture and what reads its mask, which raises ValueError where it cannot be read."""


def pairs(data: Path) -> Truth:
    """Each picture of `images/` and its mask of `masks/`, by the same stem. Raises `InvalidOption`."""
    masks = {path.stem: path for path in folder(data, "masks").iterdir() if path.suffix.lower() in _SUFFIXES}
    images = [path for path in sorted(folder(data, "images").iterdir()) if path.suffix.lower() in _SUFFIXES]
    absent = [path.name for path in images if path.stem not in masks]
    if absent or not images:
        raise InvalidOption(f"{data}: {len(absent)} of {len(images)} pictures have no mask {absent[:1]}")
    return {path: partial(_drawn, masks[path.stem]) for path in images}


def people(data: Path) -> Truth:
    """The pictures of a COCO folder (`images/`, `instances.json`) that show people. Raises `InvalidOption`."""
    try:
        masks = category_masks(data, "person")
    except ValueError as error:
        raise InvalidOption(str(error)) from None
    return {path: partial(_boolean, mask) for path, mask in masks.items() if mask().any()}


def _drawn(path: Path) -> npt.NDArray[np.bool_]:
    try:
        with Image.open(path) as image:
            return np.asarray(np.asarray(image.convert("L")) >= 128, np.bool_)
    except (OSError, SyntaxError) as error:
        raise ValueError(str(error)) from None


def _boolean(mask: Callable[[], npt.NDArray[np.uint8]]) -> npt.NDArray[np.bool_]:
    return np.asarray(mask() >= 128, np.bool_)


def evaluate(
    task: Task[Any, Any], data: Path, workers: int, progress: Progress = nothing, *, held_out: int | None = None
) -> dict[str, Any]:
    """Figures of a task whose answer has a `mask` (uint8, judged at 128), white being what is marked. For the task
    `background` COCO's people are read too.

    `held_out` judges one of so many parts only, the one that the recipes keep out of training. Where names begin
    with a source (`SOURCE_...`) and there is more than one, `by_source` has the figures of each.
    """
    coco = task.name == "background" and (data / "instances.json").exists() and not (data / "masks").exists()
    truth = people(data) if coco else pairs(data)
    if held_out is not None:
        kept = split.held_out([path.stem for path in truth], held_out)
        truth = {path: mask for (path, mask), out in zip(truth.items(), kept, strict=True) if out}
    rows: list[tuple[str, dict[str, float]]] = []
    reasons: dict[str, str] = {}

    def ask(path: Path) -> dict[str, float] | str:
        try:
            answer: npt.NDArray[np.uint8] = task(path).mask
        except InvalidImage as error:
            return error.code
        try:
            wanted = truth[path]()
        except ValueError:
            return "its mask cannot be read"
        if answer.shape != wanted.shape:
            return "the mask has another size than the picture"
        return _judge(answer >= 128, wanted)

    for path, judged in in_threads(ask, truth, workers, progress):
        if isinstance(judged, str):
            reasons[path.name] = judged
        else:
            rows.append((_source(path.stem), judged))
    if not rows:
        raise InvalidOption(f"no picture of {data} could be judged")
    sources = sorted({source for source, _ in rows})
    found = _means([row for _, row in rows]) | {"n": len(rows), "skipped": skipped(reasons)}
    if len(sources) > 1:
        found["by_source"] = {}
        for name in sources:
            own = [row for source, row in rows if source == name]
            found["by_source"][name] = _means(own) | {"n": len(own)}
    return found


def _judge(found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> dict[str, float]:
    row = mask_figures(found, wanted)
    row["iou"] = row.pop("jaccard")
    row["assd"], row["hd95"] = surface_distances(found, wanted)
    row["boundary_f"] = boundary_f(found, wanted)
    return row


def _source(name: str) -> str:
    """The letters before the first underscore: `MCUCXR` of `MCUCXR_0001_0`; none for a name without one."""
    first, mark, _ = name.partition("_")
    return first if mark and first.isalpha() else ""


def _means(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Means over pictures; a distance that does not exist (one mask is empty) is left out of its mean."""
    means: dict[str, Any] = {}
    for name in ("dice", "iou", "sensitivity", "specificity", "assd", "hd95", "boundary_f"):
        known = [row[name] for row in rows if np.isfinite(row[name])]
        means[name] = round(float(np.mean(known)), 5) if known else None
    return means
