"""Users, in SQL."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sightline.collections.base import (
    USER_FACES,
    Embedding,
    Outcome,
    Page,
    Reason,
    Refused,
    User,
    UserMatch,
    UserStatus,
)
from sightline.collections.database import Database, Kind, Session
from sightline.collections.face_table import faces_by_id
from sightline.collections.records import (
    USER,
    Entry,
    Row,
    by_chunks,
    find,
    find_user,
    numbers,
    page_of,
    search,
    start_of,
    unique,
    user,
)
from sightline.collections.user_vector import as_query, set_user_vector
from sightline.errors import InvalidOption, RequestReused, UserExists, UserFull

_REMEMBERED_SECONDS = 24 * 3600


class UserTable:
    """`base.Users` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, collection_id: str, user_id: str, *, token: str | None = None) -> User:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            reply = _once(session, entry, "create", token, [user_id], lambda: _create(session, entry, user_id))
        return user((reply["number"], user_id, reply["created"], 0, None))

    def get(self, collection_id: str, user_id: str) -> User:
        with self._database.read() as session:
            return user(find_user(session, find(session, collection_id), user_id))

    def embedding(self, collection_id: str, user_id: str) -> Embedding | None:
        with self._database.read() as session:
            entry = find(session, collection_id)
            vector = find_user(session, entry, user_id)[4]
            if vector is None:
                return None
            (mean,) = session.shelves.take(entry.shelf(Kind.USERS), [vector])
            return Embedding(mean[:-1], entry.collection.model)

    def list(self, collection_id: str, limit: int, page: str | None = None) -> Page[User]:
        start = start_of(page, limit, "users")
        with self._database.read() as session:
            rows = session.rows(
                f"SELECT {USER} FROM users WHERE collection = ? AND number > ? ORDER BY number LIMIT ?",  # noqa: S608
                find(session, collection_id).id,
                start,
                limit + 1,
            )
        return page_of(rows, limit, "users", user)

    def delete(self, collection_id: str, user_id: str, *, token: str | None = None) -> None:
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            _once(session, entry, "delete", token, [user_id], lambda: _delete(session, entry, user_id))

    def associate(
        self,
        collection_id: str,
        user_id: str,
        face_ids: Sequence[str],
        *,
        within: float = math.inf,
        token: str | None = None,
    ) -> Outcome:
        asked = [user_id, *face_ids, within]
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            reply = _once(
                session,
                entry,
                "associate",
                token,
                asked,
                lambda: _dump(_associate(session, entry, user_id, face_ids, within)),
            )
        return _outcome(reply)

    def disassociate(
        self, collection_id: str, user_id: str, face_ids: Sequence[str], *, token: str | None = None
    ) -> Outcome:
        asked = [user_id, *face_ids]
        with self._database.write() as session:
            entry = find(session, collection_id, lock=True)
            reply = _once(
                session,
                entry,
                "disassociate",
                token,
                asked,
                lambda: _dump(_disassociate(session, entry, user_id, face_ids)),
            )
        return _outcome(reply)

    def search(
        self,
        collection_id: str,
        embedding: Embedding,
        limit: int,
        *,
        within: float = math.inf,
        besides: str | None = None,
    ) -> tuple[UserMatch, ...]:
        if limit < 1:
            raise InvalidOption("a search asks for at least one user")
        with self._database.read() as session:
            entry = find(session, collection_id)
        entry.check_embedding(embedding)
        shelf, wanted, query = entry.shelf(Kind.USERS), limit + (besides is not None), as_query(embedding.vector)
        found = search(
            self._database,
            lambda: self._database.search(shelf, query, wanted, within),
            lambda session, vectors: {row[4]: user(row) for row in _users_by_vector(session, entry, vectors)},
        )
        matches = [UserMatch(person, distance) for person, distance in found if person.user_id != besides]
        return tuple(matches[:limit])


def _once(
    session: Session,
    entry: Entry,
    operation: str,
    token: str | None,
    asked: Sequence[Any],
    work: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """The reply of `work`, done now or, where this token came before, then. Raises `RequestReused`."""
    if token is None:
        return work()
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    session.rows("DELETE FROM requests WHERE collection = ? AND made < ?", entry.id, time.time() - _REMEMBERED_SECONDS)
    rows = session.rows(
        "SELECT digest, reply FROM requests WHERE collection = ? AND operation = ? AND token = ?",
        entry.id,
        operation,
        token,
    )
    if rows:
        if rows[0][0] != digest:
            raise RequestReused("this request token came before with other arguments")
        before: dict[str, Any] = json.loads(rows[0][1])
        return before
    reply = work()
    session.rows(
        "INSERT INTO requests (collection, operation, token, digest, reply, made) VALUES (?, ?, ?, ?, ?, ?)",
        entry.id,
        operation,
        token,
        digest,
        json.dumps(reply),
        time.time(),
    )
    return reply


def _create(session: Session, entry: Entry, user_id: str) -> dict[str, Any]:
    (number,) = numbers(session, entry, 1)
    now = time.time()
    rows = session.rows(
        "INSERT INTO users (collection, number, user_id, created, faces, vector) VALUES (?, ?, ?, ?, 0, NULL) "
        "ON CONFLICT (collection, user_id) DO NOTHING RETURNING number",
        entry.id,
        number,
        user_id,
        now,
    )
    if not rows:
        raise UserExists(f"the collection {entry.collection.collection_id} has a user {user_id} already")
    session.rows("UPDATE collections SET users = users + 1 WHERE id = ?", entry.id)
    return {"number": number, "created": now}


def _delete(session: Session, entry: Entry, user_id: str) -> dict[str, Any]:
    number, _, _, _, vector = find_user(session, entry, user_id)
    session.rows("UPDATE faces SET user_number = NULL WHERE collection = ? AND user_number = ?", entry.id, number)
    if vector is not None:
        session.shelves.drop(entry.shelf(Kind.USERS), [vector])
    session.rows("DELETE FROM users WHERE collection = ? AND number = ?", entry.id, number)
    session.rows("UPDATE collections SET users = users - 1 WHERE id = ?", entry.id)
    return {}


def _associate(session: Session, entry: Entry, user_id: str, face_ids: Sequence[str], within: float) -> Outcome:
    number, _, _, had, vector = find_user(session, entry, user_id)
    if had >= USER_FACES:
        raise UserFull(f"the user {user_id} is associated with {USER_FACES} faces, the most there can be")
    known = faces_by_id(session, entry, face_ids)
    far = _too_far(session, entry, vector, within, [row for row in known.values() if row[9] is None])
    done: dict[str, int] = {}
    refused = []
    for face_id in unique(face_ids):
        row = known.get(face_id)
        if row is None:
            refused.append(Refused(face_id, Reason.FACE_NOT_FOUND))
        elif row[9] == user_id:
            continue
        elif row[9] is not None:
            refused.append(Refused(face_id, Reason.ASSOCIATED_TO_A_DIFFERENT_USER, row[9]))
        elif face_id in far:
            refused.append(Refused(face_id, Reason.LOW_MATCH_CONFIDENCE, distance=far[face_id]))
        elif had + len(done) >= USER_FACES:
            refused.append(Refused(face_id, Reason.USER_IS_FULL))
        else:
            done[face_id] = row[0]
    if done:
        _assign(session, entry, number, list(done.values()))
        set_user_vector(session, entry, number, vector)
    status = UserStatus.ACTIVE if had or done else UserStatus.CREATED
    return Outcome(tuple(done), tuple(refused), status)


def _disassociate(session: Session, entry: Entry, user_id: str, face_ids: Sequence[str]) -> Outcome:
    number, _, _, had, vector = find_user(session, entry, user_id)
    known = faces_by_id(session, entry, face_ids)
    done: dict[str, int] = {}
    refused = []
    for face_id in unique(face_ids):
        row = known.get(face_id)
        if row is None:
            refused.append(Refused(face_id, Reason.FACE_NOT_FOUND))
        elif row[9] == user_id:
            done[face_id] = row[0]
        elif row[9] is not None:
            refused.append(Refused(face_id, Reason.ASSOCIATED_TO_A_DIFFERENT_USER, row[9]))
    if done:
        _assign(session, entry, None, list(done.values()))
        set_user_vector(session, entry, number, vector)
    return Outcome(tuple(done), tuple(refused), UserStatus.ACTIVE if had > len(done) else UserStatus.CREATED)


def _too_far(
    session: Session, entry: Entry, vector: int | None, within: float, rows: Sequence[Row]
) -> dict[str, float]:
    """Which of these faces lie further than `within` from the user's vector, and how far."""
    if vector is None or not rows or math.isinf(within):
        return {}
    (own,) = session.shelves.take(entry.shelf(Kind.USERS), [vector])
    vectors = session.shelves.take(entry.shelf(Kind.FACES), [row[0] for row in rows])
    distances = [np.linalg.norm(as_query(face).astype(np.float64) - own) for face in vectors]
    return {row[1]: float(distance) for row, distance in zip(rows, distances, strict=True) if distance > within}


def _assign(session: Session, entry: Entry, number: int | None, faces: Sequence[int]) -> None:
    session.many(
        "UPDATE faces SET user_number = ? WHERE collection = ? AND number = ?",
        [(number, entry.id, face) for face in faces],
    )


def _users_by_vector(session: Session, entry: Entry, vectors: Sequence[int]) -> list[Row]:
    statement = f"SELECT {USER} FROM users WHERE collection = ? AND vector IN ({{}})"  # noqa: S608
    return by_chunks(session, statement, [entry.id], vectors)


def _dump(outcome: Outcome) -> dict[str, Any]:
    refused = [[item.face_id, item.reason, item.user_id, item.distance] for item in outcome.refused]
    return {"done": outcome.done, "refused": refused, "status": outcome.status}


def _outcome(reply: dict[str, Any]) -> Outcome:
    refused = tuple(Refused(face, Reason(reason), who, distance) for face, reason, who, distance in reply["refused"])
    return Outcome(tuple(reply["done"]), refused, UserStatus(reply["status"]))
