"""A user's vector: the mean of the vectors of the faces associated with them, and one number more.

The mean of k faces lies nearer to every face than a single face does: by `spread * (1 - 1/k)` in squared distance, with
`spread` the variance among one person's faces. The last number of a user's vector is the root of that; what is
searched for has 0 there, so that plain Euclidean distance puts it back. `benchmarks/user_vectors.py` measures it.
"""

from __future__ import annotations

import math

import numpy as np

from sightline.collections.base import Vector
from sightline.collections.database import Kind, Session, Vectors
from sightline.collections.records import Entry, numbers


def as_query(vector: Vector) -> Vector:
    """A face's vector (D) as what users are searched for (D + 1)."""
    return np.append(vector, np.float32(0))


def of_faces(vectors: Vectors, spread: float) -> Vector:
    """The vector (D + 1) of a user with these faces (K x D)."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    return np.append(mean, math.sqrt(max(0.0, spread) * (1 - 1 / len(vectors)))).astype(np.float32)


def set_user_vector(session: Session, entry: Entry, user: int, old: int | None) -> None:
    """Make a user's vector, the mean over the associated faces, anew; `old` is the number of the one before."""
    shelf = entry.shelf(Kind.USERS)
    if old is not None:
        session.shelves.drop(shelf, [old])
    rows = session.rows(
        "SELECT number FROM faces WHERE collection = ? AND user_number = ? ORDER BY number", entry.id, user
    )
    number = None
    if rows:
        vectors = session.shelves.take(entry.shelf(Kind.FACES), [row[0] for row in rows])
        (number,) = numbers(session, entry, 1)
        session.shelves.put(shelf, [number], of_faces(vectors, entry.collection.calibration.spread)[None])
    session.rows(
        "UPDATE users SET vector = ?, faces = ? WHERE collection = ? AND number = ?", number, len(rows), entry.id, user
    )
