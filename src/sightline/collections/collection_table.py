"""Collections, in SQL."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from sightline.collections.base import Calibration, Collection, EmbeddingModel, Page
from sightline.collections.database import Database, Kind
from sightline.collections.records import COLLECTION, Entry, dump_calibration, find, page_of, start_of
from sightline.collections.user_vector import set_user_vector
from sightline.errors import CollectionExists, InvalidOption, TooManyTags

_COLUMNS = (
    "name, model_name, model_version, model_sha256, dimension, calibration, created, faces, users, keep_pictures, "
    "tags, last_number"
)
_VALUES = "?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0"
_CREATE = (
    f"INSERT INTO collections ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (name) DO NOTHING RETURNING {COLLECTION}"  # noqa: S608
)
_TABLES = ("faces", "users", "requests", "pictures")


class CollectionTable:
    """`base.Collections` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        collection_id: str,
        model: EmbeddingModel,
        calibration: Calibration,
        *,
        tags: Mapping[str, str] | None = None,
        keep_pictures: bool = False,
    ) -> Collection:
        if model.dimension < 1:
            raise InvalidOption("a vector has at least one number")
        with self._database.write() as session:
            rows = session.rows(
                _CREATE,
                collection_id,
                model.name,
                model.version,
                model.sha256,
                model.dimension,
                dump_calibration(calibration),
                time.time(),
                int(keep_pictures),
                json.dumps(dict(tags or {})),
            )
            if not rows:
                raise CollectionExists(f"there is a collection called {collection_id} already")
            entry = Entry.of(rows[0])
            for kind in Kind:
                session.shelves.make(entry.shelf(kind))
        return entry.collection

    def get(self, collection_id: str) -> Collection:
        with self._database.read() as session:
            return find(session, collection_id).collection

    def list(self, limit: int, page: str | None = None) -> Page[Collection]:
        start = start_of(page, limit, "collections")
        with self._database.read() as session:
            rows = session.rows(
                f"SELECT {COLLECTION} FROM collections WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                start,
                limit + 1,
            )
        return page_of(rows, limit, "collections", lambda row: Entry.of(row).collection)

    def delete(self, collection_id: str) -> None:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            for kind in Kind:
                session.shelves.clear(entry.shelf(kind))
            for table in _TABLES:
                session.rows(f"DELETE FROM {table} WHERE collection = ?", entry.id)  # noqa: S608
            session.rows("DELETE FROM collections WHERE id = ?", entry.id)

    def tag(self, collection_id: str, tags: Mapping[str, str], limit: int = 200) -> None:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            wanted = {**entry.collection.tags, **tags}
            if len(wanted) > limit:
                raise TooManyTags(f"a collection has at most {limit} tags")
            session.rows("UPDATE collections SET tags = ? WHERE id = ?", json.dumps(wanted), entry.id)

    def untag(self, collection_id: str, keys: Sequence[str]) -> None:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            left = {key: value for key, value in entry.collection.tags.items() if key not in keys}
            session.rows("UPDATE collections SET tags = ? WHERE id = ?", json.dumps(left), entry.id)

    def calibrate(self, collection_id: str, calibration: Calibration) -> None:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            session.rows("UPDATE collections SET calibration = ? WHERE id = ?", dump_calibration(calibration), entry.id)
            if calibration.spread != entry.collection.calibration.spread:
                fresh = find(session, collection_id)
                users = "SELECT number, vector FROM users WHERE collection = ? AND vector IS NOT NULL"
                for number, vector in session.rows(users, entry.id):
                    set_user_vector(session, fresh, number, vector)
