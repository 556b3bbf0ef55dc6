"""Pictures of people masked by a better network: what a small one learns from besides drawn masks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sightline.architectures.base import Segmenter
from sightline.settings import Settings
from sightline.tasks.registry import load

from ..datasets import SUFFIXES, DataError, Masked, read_picture

__all__ = ["list_taught"]


def list_taught(folder: Path, name: str) -> list[Masked]:
    """Every picture below ``folder``, each with the mask of the segmenter whose card is ``name``: its probabilities,
    0..255, made when they are asked for. Raises `DataError` for a folder without pictures."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no pictures")
    task: Any = load("background", model=name, settings=replace(Settings.from_env(), threads=1))
    return [Masked(p.relative_to(folder).as_posix(), p, partial(_mask, task.segmenter, p)) for p in paths]


def _mask(segmenter: Segmenter, path: Path) -> np.ndarray:
    pixels = read_picture(path, grey=False)
    full = cv2.resize(segmenter.mask(pixels), (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full * 255 + 0.5, np.uint8)
