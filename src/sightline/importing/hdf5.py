"""HDF5 files of strangers: read once, carefully, into a plain copy that other libraries may open.

HDF5 can point at other files (external links, external storage, virtual datasets), announce terabytes in a few bytes,
and contain itself. A copy made here has none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from sightline.errors import ModelError

from .kinds import LARGEST
from .reasons import reason

_DEEPEST = 32
_MOST_OBJECTS = 200_000
# Rows of numbers and of text; no references, no pickled objects.
_PLAIN = "fiubSUO"


def copy_plain(source: Path, target: Path, *, leave_out: tuple[str, ...] = ()) -> None:
    """Write the groups, datasets and attributes of `source` to `target`; `leave_out` names groups of the root.

    Raises `ModelError` for a damaged file, for one that refers to others, and for one that unpacks to more than a
    model may have.
    """
    try:
        with h5py.File(source, "r") as old, h5py.File(target, "w") as new:
            _Copy(leave_out).group(old, new, 0)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ModelError(f"{source.name} is a damaged HDF5 file: {reason(error)}") from None


class _Copy:
    def __init__(self, leave_out: tuple[str, ...]) -> None:
        self._leave_out = leave_out
        self._bytes = 0
        self._seen: set[int] = set()

    def group(self, old: Any, new: Any, depth: int) -> None:
        self._count(old, depth)
        for name in old.attrs:
            self._attribute(old, new, name)
        for name in old:
            if depth == 0 and name in self._leave_out:
                continue
            if not isinstance(old.get(name, getlink=True), h5py.HardLink):
                raise ModelError(f"the HDF5 file links {name!r} to another place; it is not followed")
            found = old[name]
            if isinstance(found, h5py.Group):
                self.group(found, new.create_group(name), depth + 1)
            elif isinstance(found, h5py.Dataset):
                self._dataset(found, new, name, depth)
            # A named type holds no weights.

    def _dataset(self, old: Any, new: Any, name: str, depth: int) -> None:
        self._count(old, depth)
        if old.is_virtual or old.external:
            raise ModelError(f"the HDF5 file keeps {name!r} in another file; it is not followed")
        if old.dtype.kind not in _PLAIN or h5py.check_ref_dtype(old.dtype) is not None:
            raise ModelError(f"the HDF5 file holds {name!r} as {old.dtype}, which is neither number nor text")
        self._bytes += old.nbytes
        if old.shape is not None and self._bytes <= LARGEST:
            copy = new.create_dataset(name, data=old[()])
            for attribute in old.attrs:
                self._attribute(old, copy, attribute)
        elif self._bytes > LARGEST:
            raise ModelError(f"the HDF5 file unpacks to more than {LARGEST:,} bytes")

    def _attribute(self, old: Any, new: Any, name: str) -> None:
        value = old.attrs[name]
        if isinstance(value, h5py.Empty | h5py.Reference | h5py.RegionReference):
            return
        new.attrs[name] = value

    def _count(self, found: Any, depth: int) -> None:
        number = h5py.h5o.get_info(found.id).addr
        if number in self._seen:
            raise ModelError("the HDF5 file names one object twice")
        self._seen.add(number)
        if depth > _DEEPEST or len(self._seen) > _MOST_OBJECTS:
            raise ModelError("the HDF5 file is nested too deeply or has too many parts")
