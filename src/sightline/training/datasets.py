"""Readers of training data: whole sets in memory as uint8 tensors.

The sets that fit a laptop fit its memory, and a tensor in memory costs no loader: 28,709 face
crops are 66 MB. Every reader returns its items sorted by name, so a seed means the same run on
every machine. Layouts: class folders, ``images/`` + ``masks/``, COCO JSON and FER2013's csv.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from sightline.evaluation import split
from sightline.evaluation.coco import category_masks

__all__ = [
    "ClassSet",
    "DataError",
    "MaskSet",
    "Masked",
    "held_out",
    "list_masked",
    "pixel_keys",
    "read_class_folders",
    "read_fer_csv",
    "read_mask",
    "read_masked",
    "read_picture",
    "resize",
]

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


class DataError(ValueError):
    """The folder does not hold the data that the recipe asks for."""


@dataclass(frozen=True)
class ClassSet:
    """Pictures with one class each: uint8, count x channels x height x width (RGB or grey)."""

    pictures: Tensor
    labels: Tensor
    names: tuple[str, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int] | Tensor) -> ClassSet:
        """The items at ``rows`` only."""
        index = torch.as_tensor(rows, dtype=torch.long)
        names = tuple(self.names[i] for i in index.tolist())
        return ClassSet(self.pictures[index], self.labels[index], names, self.classes)


@dataclass(frozen=True)
class MaskSet:
    """Pictures with a mask each: uint8, count x channels x height x width; masks 0..255, one channel.

    A mask that was shrunk holds shares of a pixel at its edges: a finer target than yes or no.
    ``sizes``: height and width each item had on disk, before it was resized.
    """

    pictures: Tensor
    masks: Tensor
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int] | Tensor) -> MaskSet:
        """The items at ``rows`` only."""
        index = torch.as_tensor(rows, dtype=torch.long)
        picked = index.tolist()
        names, sizes = tuple(self.names[i] for i in picked), tuple(self.sizes[i] for i in picked)
        return MaskSet(self.pictures[index], self.masks[index], names, sizes)


def read_picture(path: Path, *, grey: bool) -> np.ndarray:
    """One picture as uint8: height x width (grey) or height x width x 3 (RGB)."""
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{path} is not a picture that can be read")
    return picture if grey else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_mask(path: Path) -> np.ndarray:
    """A mask file as uint8, height x width, 0 or 255."""
    return np.where(read_picture(path, grey=True) >= 128, 255, 0).astype(np.uint8)


def resize(picture: np.ndarray, size: tuple[int, int], *, mask: bool = False) -> np.ndarray:
    """``picture`` at ``size`` (height, width); by area where it shrinks, so that nothing aliases."""
    if picture.shape[:2] == size:
        return picture
    shrinks = picture.shape[0] > size[0]
    way = cv2.INTER_AREA if shrinks else (cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR)
    return cv2.resize(picture, (size[1], size[0]), interpolation=way)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _planes(picture: np.ndarray) -> Tensor:
    planes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


def read_class_folders(
    folder: Path, size: tuple[int, int], *, grey: bool, classes: Sequence[str] | None = None
) -> ClassSet:
    """A folder a class (the layout of torchvision's ImageFolder).

    ``classes`` fixes the order of labels; without it they are the folder names, sorted.
    Raises `DataError` where a class is missing or no picture is found.
    """
    if classes is None:
        classes = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else ()
    missing = [name for name in classes if not (folder / name).is_dir()]
    if missing or not classes:
        raise DataError(f"{folder} holds no folder named {missing[0] if missing else 'after a class'}")
    pictures, labels, names = [], [], []
    for label, name in enumerate(classes):
        for path in _files(folder / name):
            pictures.append(_planes(resize(read_picture(path, grey=grey), size)))
            labels.append(label)
            names.append(path.relative_to(folder).as_posix())
    if not pictures:
        raise DataError(f"{folder} holds no pictures")
    return ClassSet(torch.stack(pictures), torch.tensor(labels), tuple(names), tuple(classes))


def read_fer_csv(path: Path, usage: str, classes: Sequence[str]) -> ClassSet:
    """FER2013's own csv: ``emotion,pixels,Usage``; 48x48 grey, one row a face.

    ``usage`` is "Training", "PublicTest" or "PrivateTest". The csv counts its classes angry,
    disgust, fear, happy, sad, surprise, neutral; labels come back in the order of ``classes``.
    """
    order = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    pictures, labels, names = [], [], []
    with path.open(newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            if row["Usage"] != usage:
                continue
            pixels = np.array(row["pixels"].split(), np.uint8).reshape(1, 48, 48)
            pictures.append(torch.from_numpy(pixels))
            labels.append(list(classes).index(order[int(row["emotion"])]))
            names.append(f"row-{number}")
    if not pictures:
        raise DataError(f"{path} holds no row with Usage {usage}")
    return ClassSet(torch.stack(pictures), torch.tensor(labels), tuple(names), tuple(classes))


@dataclass(frozen=True)
class Masked:
    """A picture on disk and where its mask comes from. ``mask()``: uint8, height x width, 0 or 255."""

    name: str
    picture: Path
    mask: Callable[[], np.ndarray]


def list_masked(folder: Path, category: str | None = None) -> list[Masked]:
    """What is below ``folder``, sorted by name: ``images/NAME.*`` with ``masks/NAME.png`` (128 or more means
    "inside"), or, where ``category`` is given and there is an ``instances.json`` (COCO), the union of that category's
    shapes. Raises `DataError` where a mask is missing or there is nothing."""
    coco = category is not None and (folder / "instances.json").exists()
    items = _coco(folder, str(category)) if coco else _pairs(folder)
    if not items:
        raise DataError(f"{folder / 'images'} holds no pictures")
    return items


def read_masked(items: Sequence[Masked], size: tuple[int, int], *, grey: bool) -> MaskSet:
    """The pictures and masks, all resized to ``size`` (height, width)."""
    pictures, planes, sizes = [], [], []
    for item in items:
        picture, mask = read_picture(item.picture, grey=grey), item.mask()
        pictures.append(_planes(resize(picture, size)))
        planes.append(_planes(resize(mask, size, mask=True)))
        sizes.append((picture.shape[0], picture.shape[1]))
    return MaskSet(torch.stack(pictures), torch.stack(planes), tuple(item.name for item in items), tuple(sizes))


def _pairs(folder: Path) -> list[Masked]:
    masks = {p.stem: p for p in _files(folder / "masks")}
    items = []
    for path in _files(folder / "images"):
        if path.stem not in masks:
            raise DataError(f"{path.name} has no mask in {folder / 'masks'}")
        items.append(Masked(path.stem, path, partial(read_mask, masks[path.stem])))
    return items


def _coco(folder: Path, category: str) -> list[Masked]:
    try:
        return [Masked(path.stem, path, mask) for path, mask in category_masks(folder, category).items()]
    except ValueError as error:
        raise DataError(str(error)) from None


def pixel_keys(pictures: Tensor) -> list[bytes]:
    """One digest a picture: equal digests mean equal pixels."""
    return [hashlib.sha256(p.numpy().tobytes()).digest() for p in pictures.contiguous()]


def held_out(keys: Sequence[str | bytes], parts: int) -> Tensor:
    """Booleans: which items fall into the part of ``parts`` that nothing is learnt from (`evaluation.split`)."""
    return torch.tensor(split.held_out(keys, parts), dtype=torch.bool)
