"""Pictures that an imported model is tried on: drawn ones, and real ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption, SightlineError
from sightline.images.decode import read
from sightline.images.geometry import resize

Batch = npt.NDArray[np.uint8]
"""N x height x width x 3 RGB."""

RANDOM = 12
_MOST_REAL = 48
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# What the package brings: photos for the page, and scenes to put people into.
_PACKAGE = Path(__file__).resolve().parents[1]
_OWN = (_PACKAGE / "web" / "samples", _PACKAGE / "backgrounds" / "gallery")


def drawn(width: int, height: int) -> Batch:
    """Noise, soft clouds of colour and flat tones, the same ones each time."""
    random = np.random.default_rng(0)
    pictures = []
    for number in range(RANDOM):
        grain = (None, 6, 2)[number % 3]
        size = (grain, grain, 3) if grain else (height, width, 3)
        tones = random.integers(0, 256, size).astype(np.uint8)
        pictures.append(np.asarray(cv2.resize(tones, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8))
    return np.stack(pictures)


def real(folder: Path | None, width: int, height: int) -> Batch:
    """The pictures below `folder`, evenly chosen if there are many; without one, those that the package brings.

    Raises `InvalidOption` where the folder holds no picture that can be read.
    """
    folders = _OWN if folder is None else (folder,)
    files = sorted(path for each in folders for path in each.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if len(files) > _MOST_REAL:
        files = [files[round(index)] for index in np.linspace(0, len(files) - 1, _MOST_REAL)]
    pictures = []
    for path in files:
        try:
            pictures.append(resize(read(path).pixels, width, height))
        except SightlineError:  # one damaged picture among the samples
            continue
    if not pictures:
        raise InvalidOption(f"{folder} holds no picture that can be read")
    return np.stack(pictures)
