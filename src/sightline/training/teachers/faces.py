"""Faces seen by a better network: what a small one learns from besides names.

A face network that is too large to ship says where each face lies in its own space (knowledge
distillation; Hinton et al. 2015, arXiv 1503.02531). That needs no names, so any folder of faces
teaches, and every face teaches more than "this person or another".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sightline.architectures.base import FaceFound
from sightline.architectures.siamese import TEMPLATE, five_points
from sightline.errors import ModelMissing, NoFace
from sightline.evaluation.emotion import frame
from sightline.images.geometry import Points, similarity_transform, warp
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks.crops import largest_face
from sightline.tasks.registry import load
from sightline.tasks.similarity import Similarity

from ..datasets import SUFFIXES, DataError, read_picture

__all__ = ["Taught", "aligned_faces", "learn_from"]


@dataclass(frozen=True)
class Taught:
    """``pictures``: uint8, count x 3 x side x side, RGB, aligned to `siamese.TEMPLATE`; ``vectors``: float32,
    count x D, the teacher's, about their mean and of length 1; ``names``: each file's path below its folder."""

    pictures: Tensor
    vectors: Tensor
    names: tuple[str, ...]


def aligned_faces(folder: Path, teacher: Similarity, side: int) -> Iterator[tuple[str, Pixels, np.ndarray]]:
    """Each file's name, its largest face aligned (side x side x 3) and the teacher's vector; files without a face
    are left out."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        pixels = frame(read_picture(path, grey=False))
        try:
            face, mesh = _face(teacher, pixels)
        except NoFace:
            continue
        affine = similarity_transform(five_points(mesh), np.asarray(TEMPLATE * side, np.float32))
        chip = warp(pixels, affine, side, side, border=cv2.BORDER_REPLICATE)
        vector = teacher.embedder.embed(teacher.embedder.align(pixels, face, mesh)[None])[0]
        yield path.relative_to(folder).as_posix(), chip, vector


def learn_from(
    name: str, folders: list[Path], side: int, cache: Path, tell: Callable[[dict[str, object]], None]
) -> list[Taught]:
    """The faces of each folder, taught by the face network with the card ``name``; kept in ``cache`` (a folder), so
    that a run that was stopped does not ask again. Raises `DataError` for a folder without faces."""
    settings = replace(Settings.from_env(), threads=1)
    found = []
    for number, folder in enumerate(folders):
        kept = cache / f"taught{number}.npz"
        if not kept.exists():
            # The near-sighted detector alone: every picture is one face that fills it.
            teacher: Any = load("similarity", model=name, detector="blazeface-short", settings=settings)
            rows = []
            for row in aligned_faces(folder, teacher, side):
                rows.append(row)
                if len(rows) % 1000 == 0:
                    tell({"event": "taught", "folder": folder.name, "faces": len(rows)})
            if not rows:
                raise DataError(f"{folder} holds no picture with a face")
            names, chips, vectors = zip(*rows, strict=True)
            part = kept.with_suffix(".part.npz")
            np.savez(part, names=np.array(names), chips=np.stack(chips), vectors=np.stack(vectors))
            part.replace(kept)
        with np.load(kept) as file:
            pictures = torch.from_numpy(file["chips"].transpose(0, 3, 1, 2).copy())
            found.append((pictures, torch.from_numpy(file["vectors"]), tuple(file["names"].tolist())))
    # The mean face says nothing about who it is, and takes most of a raw vector's length.
    mean = torch.cat([vectors for _, vectors, _ in found]).mean(0)
    return [Taught(pictures, F.normalize(vectors - mean, dim=1), names) for pictures, vectors, names in found]


def _face(teacher: Similarity, pixels: Pixels) -> tuple[FaceFound, Points]:
    face, _ = largest_face(teacher.detector, teacher.mesher, Picture.of(pixels), "picture")
    if teacher.mesher is None:
        raise ModelMissing("a teacher needs the model facemesh")
    return face, teacher.mesher.points(pixels, face)[0]
