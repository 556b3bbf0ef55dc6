"""Segmentation: overlap and surface distances, means over pictures. The true mask is read after the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation import split
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.evaluation.overlap import boundary_f, mask_figures, surface_distances
from sightline.tasks.base import Task

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def pairs(data: Path) -> dict[Path, Path]:
    """Each picture of `images/` and its mask of `masks/`, by the same stem. Raises `InvalidOption`."""
    masks = {path.stem: path for path in folder(data, "masks").iterdir() if path.suffix.lower() in _SUFFIXES}
    images = [path for path in sorted(folder(data, "images").iterdir()) if path.suffix.lower() in _SUFFIXES]
    absent = [path.name for path in images if path.stem not in masks]
    if absent or not images:
        raise InvalidOption(f"{data}: {len(absent)} of {len(images)} pictures have no mask {absent[:1]}")
    return {path: masks[path.stem] for path in images}


def evaluate(
    task: Task[Any, Any], data: Path, workers: int, progress: Progress = nothing, *, held_out: int | None = None
) -> dict[str, Any]:
    """Figures of a task whose answer has a `mask` (uint8, judged at 128), white being what is marked.

    `held_out` judges one of so many parts only, the one that the recipes keep out of training. Where names begin
    with a source (`SOURCE_...`) and there is more than one, `by_source` has the figures of each.
    """
    truth = pairs(data)
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
            with Image.open(truth[path]) as image:
                wanted = np.asarray(image.convert("L")) >= 128
        except (OSError, SyntaxError, ValueError):
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
