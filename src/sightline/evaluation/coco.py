"""Masks from COCO's annotations (Lin et al. 2014, arXiv 1405.0312)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
"""Height x width, 0 or 255."""


def category_masks(data: Path, category: str) -> dict[Path, Callable[[], Mask]]:
    """The pictures of `data/images` that `data/instances.json` tells of, by name, each with what makes the union of a
    category's shapes on it; a picture without the category has an empty one. Crowd regions count too.

    Raises ValueError where the file cannot be read or knows no such category.
    """
    try:
        facts = json.loads((data / "instances.json").read_text("utf-8"))
        wanted = {kind["id"] for kind in facts["categories"] if kind["name"] == category}
        shapes: dict[int, list[Any]] = {}
        for note in facts["annotations"]:
            if note["category_id"] in wanted:
                shapes.setdefault(note["image_id"], []).append(note["segmentation"])
        entries = sorted(facts["images"], key=lambda entry: str(entry["file_name"]))
        found: dict[Path, Callable[[], Mask]] = {}
        for entry in entries:
            size = (int(entry["height"]), int(entry["width"]))
            found[data / "images" / entry["file_name"]] = partial(paint, size, shapes.get(entry["id"], []))
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"{data / 'instances.json'} is not COCO's: {error}") from None
    if not wanted:
        raise ValueError(f"instances.json knows no category {category!r}")
    return found


def paint(size: tuple[int, int], shapes: Sequence[Any]) -> Mask:
    """The union of polygons and uncompressed run lengths on a picture of `size` (height, width)."""
    mask = np.zeros(size, np.uint8)
    for shape in shapes:
        if isinstance(shape, list):
            cv2.fillPoly(mask, [np.rint(np.reshape(p, (-1, 2))).astype(np.int32) for p in shape], (255,))
        elif isinstance(shape["counts"], list):  # run lengths go down the columns
            runs = np.asarray(shape["counts"])
            values = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
            mask[values.reshape(shape["size"][::-1]).T] = 255
    return mask
