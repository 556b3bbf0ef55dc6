"""Faces, in SQL."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.collections.base import (
    Embedding,
    EmbeddingModel,
    FaceMatch,
    NewFace,
    Outcome,
    Page,
    Reason,
    Refused,
    StoredFace,
)
from sightline.collections.database import Database, Kind, Session, marks
from sightline.collections.picture_table import keep, throw
from sightline.collections.records import (
    FACE,
    FACES,
    Entry,
    Row,
    by_chunks,
    find,
    find_user,
    numbers,
    page_of,
    search,
    start_of,
    stored_face,
    unique,
)
from sightline.errors import FaceMissing, InvalidOption

_INSERT = (
    "INSERT INTO faces (collection, number, face_id, sighting, image_id, external_image_id, confidence, details, "
    "box_left, box_top, box_width, box_height) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class FaceTable:
    """`base.Faces` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, collection_id: str, model: EmbeddingModel, faces: Sequence[NewFace]) -> tuple[StoredFace, ...]:
        for face in faces:
            if face.vector.shape != (model.dimension,) or not np.isfinite(face.vector).all():
                raise InvalidOption(f"a vector has {model.dimension} finite numbers")
        sightings = [_sighting(face) for face in faces]
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            entry.check(model)
            known = self._seen(session, entry, sightings)
            fresh = {s: face for s, face in zip(sightings, faces, strict=True) if s not in known}
            if fresh:
                self._insert(session, entry, fresh)
                known = self._seen(session, entry, sightings)
        return tuple(stored_face(known[sighting], model) for sighting in sightings)

    def get(self, collection_id: str, face_id: str) -> StoredFace:
        with self._database.read() as session:
            entry = find(session, collection_id)
            return stored_face(_find_face(session, entry, face_id), entry.collection.model)

    def embedding(self, collection_id: str, face_id: str) -> Embedding:
        with self._database.read() as session:
            entry = find(session, collection_id)
            number = _find_face(session, entry, face_id)[0]
            vector = session.shelves.take(entry.shelf(Kind.FACES), [number])[0]
        return Embedding(vector, entry.collection.model)

    def list(
        self,
        collection_id: str,
        limit: int,
        page: str | None = None,
        *,
        user_id: str | None = None,
        face_ids: Sequence[str] | None = None,
    ) -> Page[StoredFace]:
        start = start_of(page, limit, "faces")
        where, values = "f.collection = ? AND f.number > ?", []
        with self._database.read() as session:
            entry = find(session, collection_id)
            if user_id is not None:
                where += " AND f.user_number = ?"
                values.append(find_user(session, entry, user_id)[0])
            if face_ids is not None:
                where += f" AND f.face_id IN ({marks(face_ids)})"
                values += face_ids
            statement = f"SELECT {FACE} FROM {FACES} WHERE {where} ORDER BY f.number LIMIT ?"  # noqa: S608
            rows = session.rows(statement, entry.id, start, *values, limit + 1)
        return page_of(rows, limit, "faces", lambda row: stored_face(row, entry.collection.model))

    def delete(self, collection_id: str, face_ids: Sequence[str]) -> Outcome:
        refused = []
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            known = faces_by_id(session, entry, face_ids)
            gone = {}
            for face_id in unique(face_ids):
                row = known.get(face_id)
                if row is None:
                    refused.append(Refused(face_id, Reason.FACE_NOT_FOUND))
                elif row[9] is not None:
                    refused.append(Refused(face_id, Reason.ASSOCIATED_TO_AN_EXISTING_USER, row[9]))
                else:
                    gone[face_id] = int(row[0])
            if gone:
                session.shelves.drop(entry.shelf(Kind.FACES), list(gone.values()))
                session.many(
                    "DELETE FROM faces WHERE collection = ? AND number = ?", [(entry.id, n) for n in gone.values()]
                )
                throw(session, entry, list(gone.values()))
                session.rows("UPDATE collections SET faces = faces - ? WHERE id = ?", len(gone), entry.id)
        return Outcome(tuple(gone), tuple(refused))

    def search(
        self,
        collection_id: str,
        embedding: Embedding,
        limit: int,
        *,
        within: float = math.inf,
        besides: str | None = None,
    ) -> tuple[FaceMatch, ...]:
        if limit < 1:
            raise InvalidOption("a search asks for at least one face")
        with self._database.read() as session:
            entry = find(session, collection_id)
        entry.check_embedding(embedding)
        shelf, wanted = entry.shelf(Kind.FACES), limit + (besides is not None)
        found = search(
            self._database,
            lambda: self._database.search(shelf, embedding.vector, wanted, within),
            lambda session, numbers: {
                row[0]: stored_face(row, entry.collection.model) for row in _faces_by_number(session, entry, numbers)
            },
        )
        matches = [FaceMatch(face, distance) for face, distance in found if face.face_id != besides]
        return tuple(matches[:limit])

    @staticmethod
    def _seen(session: Session, entry: Entry, sightings: Sequence[str]) -> dict[str, Row]:
        statement = f"SELECT {FACE}, f.sighting FROM {FACES} WHERE f.collection = ? AND f.sighting IN ({{}})"  # noqa: S608
        return {row[-1]: row for row in by_chunks(session, statement, [entry.id], unique(sightings))}

    @staticmethod
    def _insert(session: Session, entry: Entry, fresh: dict[str, NewFace]) -> None:
        given = numbers(session, entry, len(fresh))
        session.many(
            _INSERT, [_row(entry, number, s, face) for number, (s, face) in zip(given, fresh.items(), strict=True)]
        )
        vectors = np.stack([face.vector for face in fresh.values()]).astype(np.float32, copy=False)
        session.shelves.put(entry.shelf(Kind.FACES), given, vectors)
        if entry.collection.keep_pictures:
            keep(session, entry, given, [face.picture for face in fresh.values()])
        session.rows("UPDATE collections SET faces = faces + ? WHERE id = ?", len(fresh), entry.id)


def faces_by_id(session: Session, entry: Entry, face_ids: Sequence[str]) -> dict[str, Row]:
    """The rows `FACE` of those faces that are there."""
    statement = f"SELECT {FACE} FROM {FACES} WHERE f.collection = ? AND f.face_id IN ({{}})"  # noqa: S608
    return {row[1]: row for row in by_chunks(session, statement, [entry.id], unique(face_ids))}


def _faces_by_number(session: Session, entry: Entry, wanted: Sequence[int]) -> list[Row]:
    statement = f"SELECT {FACE} FROM {FACES} WHERE f.collection = ? AND f.number IN ({{}})"  # noqa: S608
    return by_chunks(session, statement, [entry.id], wanted)


def _find_face(session: Session, entry: Entry, face_id: str) -> Row:
    rows = faces_by_id(session, entry, [face_id])
    if not rows:
        raise FaceMissing(f"the collection {entry.collection.collection_id} has no face {face_id}")
    return rows[face_id]


def _sighting(face: NewFace) -> str:
    """What makes a face the same face: the picture, what the caller calls it, and the place in it."""
    box = face.box
    parts = [face.image_id, face.external_image_id, box.left, box.top, box.width, box.height]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _row(entry: Entry, number: int, sighting: str, face: NewFace) -> tuple[Any, ...]:
    details = None if face.details is None else json.dumps(dict(face.details))
    box = (face.box.left, face.box.top, face.box.width, face.box.height)
    named = (str(uuid.uuid4()), sighting, face.image_id, face.external_image_id)
    return (entry.id, number, *named, face.confidence, details, *box)
