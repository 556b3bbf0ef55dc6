"""Pictures of faces, where a collection keeps them, in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sightline.collections.base import Calibration, EmbeddingModel, Vector
from sightline.collections.database import Database, Kind, Session
from sightline.collections.records import Entry, by_chunks, dump_calibration, find
from sightline.collections.user_vector import set_user_vector
from sightline.errors import InvalidOption

# SQLite overwrites freed pages but may leave stale bytes of rows that it moved between pages. It never moves what lies
# behind the first page's worth of a row, so a picture starts there.
_PADDING = bytes(4096)


class PictureTable:
    """`base.Pictures` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def each(self, collection_id: str, after: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        with self._database.read() as session:
            entry = find(session, collection_id)
            rows = session.rows("SELECT number FROM faces WHERE collection = ? AND face_id = ?", entry.id, after)
        last = rows[0][0] if rows else 0
        while True:
            # One at a time: a transaction held open for as long as the caller works would hold up deletions.
            with self._database.read() as session:
                rows = session.rows(
                    "SELECT f.number, f.face_id, p.data FROM faces f LEFT JOIN pictures p "
                    "ON p.collection = f.collection AND p.number = f.number "
                    "WHERE f.collection = ? AND f.number > ? ORDER BY f.number LIMIT 1",
                    entry.id,
                    last,
                )
            if not rows:
                return
            last, face_id, data = rows[0]
            yield face_id, None if data is None else bytes(data)[len(_PADDING) :]

    def reembed(
        self, collection_id: str, model: EmbeddingModel, calibration: Calibration, vectors: Mapping[str, Vector]
    ) -> bool:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            faces = session.rows(
                "SELECT face_id, number, user_number FROM faces WHERE collection = ? ORDER BY number", entry.id
            )
            if {face_id for face_id, *_ in faces} != vectors.keys():
                return False
            for kind in Kind:
                session.shelves.clear(entry.shelf(kind))
            session.rows(
                "UPDATE collections SET model_name = ?, model_version = ?, model_sha256 = ?, dimension = ?, "
                "calibration = ? WHERE id = ?",
                model.name,
                model.version,
                model.sha256,
                model.dimension,
                dump_calibration(calibration),
                entry.id,
            )
            fresh = find(session, collection_id)
            for kind in Kind:
                session.shelves.make(fresh.shelf(kind))
            if faces:
                stacked = np.stack([vectors[face_id] for face_id, *_ in faces]).astype(np.float32, copy=False)
                session.shelves.put(fresh.shelf(Kind.FACES), [number for _, number, _ in faces], stacked)
            for user in sorted({user for *_, user in faces if user is not None}):
                set_user_vector(session, fresh, user, None)
        return True


def keep(session: Session, entry: Entry, given: Sequence[int], pictures: Sequence[bytes | None]) -> None:
    """Store the pictures of new faces. Raises `InvalidOption` where one is missing."""
    rows = []
    for number, picture in zip(given, pictures, strict=True):
        if not picture:
            raise InvalidOption(f"the collection {entry.collection.collection_id} keeps pictures, and a face has none")
        rows.append((entry.id, number, _PADDING + picture))
    session.many("INSERT INTO pictures (collection, number, data) VALUES (?, ?, ?)", rows)


def throw(session: Session, entry: Entry, gone: Sequence[int]) -> None:
    """Remove the pictures of faces."""
    by_chunks(session, "DELETE FROM pictures WHERE collection = ? AND number IN ({})", [entry.id], gone)
