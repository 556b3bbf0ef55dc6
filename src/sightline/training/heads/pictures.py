"""Class folders: a folder a label, pictures in it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InvalidImage, InvalidOption
from sightline.evaluation.classify import NONE, SUFFIXES
from sightline.images.decode import read

MOST = 5_000
"""More pictures than this are a case for training a network, not for remembering each of them."""


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """The pictures, each with the index of its label. `doubles` were left out because the same pixels came before,
    `broken` because they cannot be read."""

    labels: tuple[str, ...]
    pictures: tuple[tuple[Path, int], ...]
    doubles: int
    broken: tuple[str, ...]


def list_pictures(data: Path) -> ClassFolders:
    """What is in `data/LABEL/*`; the folder `none_of_these` is left out, it is for measuring.

    Raises `InvalidOption` for fewer than two labels, a label with fewer than two pictures, one picture under two
    labels, and more pictures than `MOST`.
    """
    if not data.is_dir():
        raise InvalidOption(f"{data} is not a folder")
    folders = sorted(path for path in data.iterdir() if path.is_dir() and path.name != NONE and path.name[0] != ".")
    files = [(path, index) for index, folder in enumerate(folders) for path in _files(folder)]
    if len(files) > MOST:
        raise InvalidOption(f"{data} holds {len(files):,} pictures; with more than {MOST:,}, leave out --head")
    seen: dict[bytes, int] = {}
    kept: list[tuple[Path, int]] = []
    broken: list[str] = []
    for path, index in files:
        try:
            key = hashlib.sha256(read(path).pixels.tobytes()).digest()
        except InvalidImage:
            broken.append(f"{folders[index].name}/{path.name}")
            continue
        if key not in seen:
            kept.append((path, index))
        elif seen[key] != index:
            both = f"{folders[seen[key]].name} and {folders[index].name}"
            raise InvalidOption(f"the picture {path.name} is in two folders, {both}; a picture has one label")
        seen[key] = index
    counts = Counter(index for _, index in kept)
    poor = [folder.name for index, folder in enumerate(folders) if counts[index] < 2]
    if len(folders) < 2 or poor:
        reason = f"{poor[0]} has {counts[[f.name for f in folders].index(poor[0])]}" if poor else "there are fewer"
        raise InvalidOption(f"{data} needs at least two folders, one a label, with two pictures each; {reason}")
    doubles = len(files) - len(kept) - len(broken)
    return ClassFolders(tuple(folder.name for folder in folders), tuple(kept), doubles, tuple(broken))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
