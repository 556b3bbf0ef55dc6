"""The seam under the tables: what differs between SQLite and PostgreSQL.

The tables (`collection_table.py`, `face_table.py`, `user_table.py`, `picture_table.py`) are written once, in SQL that
both understand. A database gives them transactions, places to put vectors, and the search over those.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sightline.collections.base import Vector

Vectors = npt.NDArray[np.float32]
"""N x D, float32."""

Found = list[tuple[int, float]]
"""Numbers of vectors and their Euclidean distances, nearest first."""

WAIT_SECONDS = 30.0
"""How long anything here waits for a lock or a connection before it gives up as `StoreUnavailable`."""


class Kind(IntEnum):
    """Whose vectors."""

    FACES = 0
    USERS = 1


@dataclass(frozen=True, slots=True)
class Shelf:
    """The vectors of one kind in one collection. Each has a number; numbers grow and are never used again."""

    collection: int
    kind: Kind
    dimension: int


class Shelves(Protocol):
    """Vectors, inside a transaction."""

    def make(self, shelf: Shelf) -> None:
        """Open an empty shelf."""
        ...

    def put(self, shelf: Shelf, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add vectors; each number is larger than any that the shelf has had."""
        ...

    def take(self, shelf: Shelf, numbers: Sequence[int]) -> Vectors:
        """The vectors with these numbers, in that order. Every one must be there."""
        ...

    def drop(self, shelf: Shelf, numbers: Sequence[int]) -> None:
        """Remove vectors, so that no trace of their bytes is left in the store's files."""
        ...

    def clear(self, shelf: Shelf) -> None:
        """Remove the shelf with all its vectors, as `drop` does."""
        ...


class Session(Protocol):
    """One transaction."""

    @property
    def shelves(self) -> Shelves: ...

    @property
    def for_update(self) -> str:
        """What a SELECT ends with that keeps a row for this transaction alone; empty where writing is alone anyway."""
        ...

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; `?` stands for a value. What it returns, or nothing."""
        ...

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of values."""
        ...


class Database(Protocol):
    """What the tables stand on."""

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that changes nothing."""
        ...

    def write(self) -> AbstractContextManager[Session]:
        """A transaction. What it did is durable when the block ends, and undone if the block raises."""
        ...

    def search(self, shelf: Shelf, vector: Vector, limit: int, within: float = math.inf) -> Found:
        """At most `limit` vectors of a shelf at a distance of `within` or less. It holds every vector that was put
        before the call; one dropped meanwhile may still be among them."""
        ...

    def close(self) -> None: ...


def marks(values: Sequence[Any]) -> str:
    """As many `?` as there are values, for `IN (...)`; at least one, so that the list is never empty."""
    return ", ".join("?" * len(values)) or "NULL"
