"""Exact search over the vectors of one shelf, in a memory-mapped file that any number of processes share.

The table is the truth; this file is a copy of its vectors in the shape that a search reads fastest, and may be deleted
at any time. It is never trusted blindly: the table keeps the last number it gave and a sum over hashes of its vectors
(`State`), the file keeps the same two, and where they differ the file is brought up to date or written anew.

File: a header of `_HEADER` bytes, then a record a vector: its number (int64), its squared length (float32; infinite
for a record that was wiped) and the vector (D x float32, little endian). Numbers ascend. Records are written behind
the header's count, flushed, and only then counted; they are wiped only after the header stopped counting on them. So a
reader needs no lock, and whatever a crash leaves half done shows as a difference.
"""

from __future__ import annotations

import bisect
import hashlib
import math
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from sightline.collections.base import Vector
from sightline.collections.database import Found, Vectors

_MAGIC = b"SLfaces1"
_HEADER = 64
# Magic, dimension, records, wiped ones among them, records that an unfinished writer may have reached, last number,
# sum of hashes; then a CRC-32 of these, which a header read while it is written does not have.
_FIELDS = struct.Struct("<8sQQQQQQ")
_SUM = (1 << 62) - 1
# Room is made for this share of records more than there are, so that the mapping outlives many additions.
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class State:
    """What a shelf holds: the last number it was given, and the sum of `hashes` over the vectors that are there."""

    last: int = 0
    sum: int = 0

    def plus(self, numbers: Sequence[int], vectors: Vectors) -> State:
        return State(max([self.last, *numbers]), (self.sum + hashes(numbers, vectors)) & _SUM)

    def minus(self, numbers: Sequence[int], vectors: Vectors) -> State:
        return State(self.last, (self.sum - hashes(numbers, vectors)) & _SUM)


def hashes(numbers: Sequence[int], vectors: Vectors) -> int:
    """The sum of a 64-bit hash of each numbered vector (N x D float32): equal sets have equal sums, others have not."""
    rows = np.ascontiguousarray(vectors, "<f4")
    total = 0
    for number, row in zip(numbers, rows, strict=True):
        digest = hashlib.blake2b(row.tobytes(), digest_size=8, salt=int(number).to_bytes(8, "little"))
        total += int.from_bytes(digest.digest(), "little")
    return total


Batches = Iterator[tuple[Sequence[int], Vectors]]
"""Numbers and their vectors, some at a time."""


class Source(Protocol):
    """The table that a matrix copies."""

    def state(self) -> State:
        """What the shelf holds now; `State()` if there is no such shelf."""
        ...

    def since(self, number: int) -> AbstractContextManager[tuple[State, Batches]]:
        """What the shelf holds, and those of its vectors whose number is larger, ascending."""
        ...


class Lock(Protocol):
    """Keeps every other thread and process from changing matrices."""

    def held(self) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class _Header:
    dimension: int
    records: int = 0
    wiped: int = 0
    reached: int = 0
    state: State = State()

    def pack(self) -> bytes:
        counts = (self.dimension, self.records, self.wiped, self.reached)
        data = _FIELDS.pack(_MAGIC, *counts, self.state.last, self.state.sum)
        return data + zlib.crc32(data).to_bytes(4, "little")

    @classmethod
    def unpack(cls, data: bytes) -> _Header | None:
        size = _FIELDS.size
        if len(data) < size + 4 or zlib.crc32(data[:size]).to_bytes(4, "little") != data[size : size + 4]:
            return None
        magic, dimension, records, wiped, reached, last, total = _FIELDS.unpack(data[:size])
        return cls(dimension, records, wiped, reached, State(last, total)) if magic == _MAGIC else None


class _Map:
    """A mapping of a matrix file: its header as it is now, and its records."""

    def __init__(self, file: BinaryIO, dimension: int) -> None:
        self._bytes = np.memmap(file, np.uint8, "r").view(np.ndarray)
        status = os.fstat(file.fileno())
        self.inode = (status.st_dev, status.st_ino)
        self.capacity = (len(self._bytes) - _HEADER) // record(dimension).itemsize
        end = _HEADER + self.capacity * record(dimension).itemsize
        self.records = self._bytes[_HEADER:end].view(record(dimension))

    def header(self) -> _Header | None:
        return _Header.unpack(self._bytes[:_HEADER].tobytes())


def record(dimension: int) -> np.dtype[np.void]:
    """One record of the file."""
    return np.dtype([("number", "<i8"), ("square", "<f4"), ("vector", "<f4", (dimension,))])


class Matrix:
    """The matrix of one shelf. Threads and processes may share it; every change is made under `lock`."""

    def __init__(self, path: Path, dimension: int, lock: Lock) -> None:
        self._path, self._dimension, self._lock = path, dimension, lock
        self._record = record(dimension)
        self._map: _Map | None = None

    def search(self, source: Source, vector: Vector, limit: int, within: float = math.inf) -> Found:
        """The numbers and distances of the nearest vectors, nearest first; exact.

        It sees every vector that was in the table before the call, and may still see one that is being removed.
        """
        records = self._current(source)
        count = len(records)
        if not count:
            return []
        flat = records.view("<f4").reshape(count, -1)
        query = np.asarray(vector, np.float32)
        own = float(query.astype(np.float64) @ query)
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab, as one product over the squared length and the vector of each record.
        scores = flat[:, 2:] @ np.concatenate([np.ones(1, np.float32), -2 * query])
        rows = records[_nearest(scores, own, limit, within)]
        difference = rows["vector"].astype(np.float64) - query
        distances = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        good = np.isfinite(rows["square"]) & (distances <= within)
        numbers, distances = rows["number"][good], distances[good]
        order = np.lexsort((numbers, distances))[:limit]
        return [(int(numbers[i]), float(distances[i])) for i in order]

    def wipe(self, numbers: Iterable[int]) -> None:
        """Overwrite records with zeros. The caller holds the lock until its transaction has ended: a search that
        finds the table and the file at odds brings the file up to date."""
        self._fresh.unlink(missing_ok=True)
        file = self._open()
        if file is None:
            return
        with file:
            header = self._read(file)
            if header is None or header.reached != header.records:
                self.remove()
                return
            if not header.records:
                return
            records = np.memmap(file, self._record, "r", _HEADER, (header.records,)).view(np.ndarray)
            gone = []
            for number in numbers:
                row = bisect.bisect_left(records["number"], number)
                if row < len(records) and records["number"][row] == number and np.isfinite(records["square"][row]):
                    gone.append(row)
            state = header.state.minus(records["number"][gone].tolist(), records["vector"][gone])
            header = replace(header, wiped=header.wiped + len(gone), state=state)
            _write(file, 0, header.pack())
            empty = np.zeros(1, self._record)
            empty["square"] = np.inf
            for row in gone:
                empty["number"] = records["number"][row]
                _write(file, _HEADER + row * self._record.itemsize, empty.tobytes())

    def remove(self) -> None:
        """Delete the file; the caller holds the lock, as for `wipe`."""
        self._fresh.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    @property
    def _fresh(self) -> Path:
        return self._path.with_suffix(".new")

    def _current(self, source: Source) -> npt.NDArray[Any]:
        """The records, as new as the table."""
        state, mapped = source.state(), self._map
        if mapped is not None:
            header = mapped.header()
            if header is not None and header.state == state and header.records <= mapped.capacity:
                return mapped.records[: header.records]
        with self._lock.held():
            header, file = self._follow(source)
            with file:
                status = os.fstat(file.fileno())
                same = mapped is not None and mapped.inode == (status.st_dev, status.st_ino)
                if mapped is None or not same or mapped.capacity < header.records:
                    mapped = self._map = _Map(file, self._dimension)
            return mapped.records[: header.records]

    def _follow(self, source: Source) -> tuple[_Header, BinaryIO]:
        """Bring the file up to date: the header it has then, and the open file. The lock is held."""
        file = self._open()
        if file is not None:
            header = self._read(file)
            if header is not None and (header.wiped <= 4096 or header.wiped * 2 <= header.records):
                with source.since(header.state.last) as (state, batches):
                    header = self._append(file, header, batches)
                # A table that went back in time (a restored copy) may give the same numbers to other vectors.
                if header.state.sum == state.sum and header.state.last <= state.last:
                    return self._count(file, header, state), file
            file.close()
        return self._rebuild(source)

    def _rebuild(self, source: Source) -> tuple[_Header, BinaryIO]:
        """Write the file anew beside the old one and put it in its place."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._fresh.open("w+b", buffering=0)
        with source.since(0) as (state, batches):
            header = self._append(file, _Header(self._dimension), batches)
        header = self._count(file, header, State(state.last, header.state.sum))
        os.replace(self._fresh, self._path)
        return header, file

    def _append(self, file: BinaryIO, header: _Header, batches: Batches) -> _Header:
        """Write records behind those that count; the header that will count them."""
        size = self._record.itemsize
        for numbers, vectors in batches:
            rows = np.zeros(len(numbers), self._record)
            rows["number"], rows["vector"] = numbers, vectors
            rows["square"] = np.einsum("ij,ij->i", vectors, vectors)
            start, reached = header.records, header.records + len(rows)
            if os.fstat(file.fileno()).st_size < _HEADER + reached * size:
                file.truncate(_HEADER + (reached + reached // _GROWTH + 256) * size)
            old = self._read(file) or _Header(self._dimension)
            _write(file, 0, replace(old, reached=reached).pack())
            _write(file, _HEADER + start * size, rows.tobytes())
            header = replace(header, records=reached, reached=reached, state=header.state.plus(numbers, vectors))
        return header

    @staticmethod
    def _count(file: BinaryIO, header: _Header, state: State) -> _Header:
        header = replace(header, reached=header.records, state=state)
        os.fsync(file.fileno())
        _write(file, 0, header.pack())
        return header

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None

    def _read(self, file: BinaryIO) -> _Header | None:
        """The header, if it is one of a file that is as long as it says."""
        file.seek(0)
        header = _Header.unpack(file.read(_HEADER))
        size = os.fstat(file.fileno()).st_size
        if header is None or header.dimension != self._dimension:
            return None
        return header if size >= _HEADER + header.records * self._record.itemsize else None


class Matrices:
    """The matrices of a store, those used last kept open."""

    def __init__(self, folder: Path, lock: Lock, keep: int = 64) -> None:
        self._folder, self._lock, self._keep = folder, lock, keep
        self._open: dict[str, Matrix] = {}
        self._guard = threading.Lock()

    def of(self, name: str, dimension: int) -> Matrix:
        """The matrix of a shelf, whose name never stands for vectors of another length."""
        with self._guard:
            matrix = self._open.pop(name, None) or Matrix(self._folder / f"{name}.matrix", dimension, self._lock)
            self._open[name] = matrix
            while len(self._open) > self._keep:
                del self._open[next(iter(self._open))]
            return matrix


def _nearest(scores: npt.NDArray[np.float32], own: float, count: int, within: float) -> npt.NDArray[np.intp]:
    """The indices of all scores (squared distances less `own`) that may be among the `count` smallest and `within`,
    allowing for what float32 is off by."""
    most = min(within * within - own, float(np.finfo(np.float32).max) / 4)
    near = np.flatnonzero(scores <= np.float32(most + _slack(own, most)))
    if len(near) > count:
        kept = scores[near]
        last = float(np.partition(kept, count - 1)[count - 1])
        near = near[kept <= np.float32(last + _slack(own, last))]
    return near


def _slack(own: float, score: float) -> float:
    # The lengths involved: the query's, and a found vector's, which is at most theirs together.
    return 1e-5 * (own + abs(score + own))


def _write(file: BinaryIO, offset: int, data: bytes) -> None:
    """All of `data` at a place of an unbuffered file, which may take less than it is given."""
    file.seek(offset)
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
