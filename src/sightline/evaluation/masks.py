"""Segmentation: Dice and intersection over union, means over pictures. The true mask is read after the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.errors import InvalidImage, InvalidOption, SightlineError
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
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


def evaluate(task: Task[Any, Any], data: Path, workers: int, progress: Progress = nothing) -> dict[str, Any]:
    """Dice and IoU of a task whose answer has a `mask` (uint8, judged at 128), white being what is marked."""
    truth = pairs(data)
    dice, overlap = [], []
    reasons: dict[str, str] = {}

    def ask(path: Path) -> npt.NDArray[np.uint8] | SightlineError:
        try:
            mask: npt.NDArray[np.uint8] = task(path).mask
            return mask
        except InvalidImage as error:
            return error

    for path, answer in in_threads(ask, truth, workers, progress):
        if isinstance(answer, SightlineError):
            reasons[path.name] = answer.code
            continue
        try:
            with Image.open(truth[path]) as image:
                wanted = np.asarray(image.convert("L")) >= 128
        except (OSError, SyntaxError, ValueError):
            reasons[path.name] = "its mask cannot be read"
            continue
        got = answer >= 128
        if got.shape != wanted.shape:
            reasons[path.name] = "the mask has another size than the picture"
            continue
        both, either, sizes = (got & wanted).sum(), (got | wanted).sum(), got.sum() + wanted.sum()
        dice.append(2 * both / sizes if sizes else 1.0)
        overlap.append(both / either if either else 1.0)
    if not dice:
        raise InvalidOption(f"no picture of {data} could be judged")
    return {
        "dice": round(float(np.mean(dice)), 5),
        "iou": round(float(np.mean(overlap)), 5),
        "n": len(dice),
        "skipped": skipped(reasons),
    }
