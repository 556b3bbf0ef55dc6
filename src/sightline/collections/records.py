"""Rows and the words they stand for."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from sightline.collections.base import (
    Calibration,
    Collection,
    Embedding,
    EmbeddingModel,
    Page,
    RelativeBox,
    StoredFace,
    User,
    UserStatus,
)
from sightline.collections.database import Database, Found, Kind, Session, Shelf, marks
from sightline.errors import CollectionMissing, InvalidOption, InvalidPage, ModelMismatch, UserMissing

T = TypeVar("T")
Row = tuple[Any, ...]

COLLECTION = (
    "id, name, model_name, model_version, model_sha256, dimension, calibration, created, faces, users, "
    "keep_pictures, tags"
)
FACE = (
    "f.number, f.face_id, f.image_id, f.box_left, f.box_top, f.box_width, f.box_height, f.confidence, "
    "f.external_image_id, u.user_id, f.details"
)
FACES = "faces f LEFT JOIN users u ON u.collection = f.collection AND u.number = f.user_number"
USER = "number, user_id, created, faces, vector"


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection and its number in the database."""

    id: int
    collection: Collection

    @classmethod
    def of(cls, row: Row) -> Entry:
        model = EmbeddingModel(row[2], row[3], row[4], int(row[5]))
        calibration = json.loads(row[6])
        if calibration["interval"] is not None:
            calibration["interval"] = tuple(calibration["interval"])
        collection = Collection(
            row[1],
            model,
            Calibration(**calibration),
            moment(row[7]),
            faces=int(row[8]),
            users=int(row[9]),
            keep_pictures=bool(row[10]),
            tags=json.loads(row[11]),
        )
        return cls(int(row[0]), collection)

    def shelf(self, kind: Kind) -> Shelf:
        # A user's vector has one number more (`user_vector.py`).
        return Shelf(self.id, kind, self.collection.model.dimension + (kind is Kind.USERS))

    def check(self, model: EmbeddingModel) -> None:
        """Raises `ModelMismatch` unless vectors of this model can be compared with the collection's."""
        own = self.collection.model
        if model != own:
            raise ModelMismatch(
                f"the collection {self.collection.collection_id} holds vectors of {own.name} {own.version} "
                f"({own.dimension} numbers, sha256 {own.sha256[:12]}), not of {model.name} {model.version} "
                f"({model.dimension} numbers, sha256 {model.sha256[:12]}); `sightline collections migrate` re-embeds it"
            )

    def check_embedding(self, embedding: Embedding) -> None:
        """As `check`; raises `InvalidOption` too, for a vector that is none."""
        self.check(embedding.model)
        vector = embedding.vector
        if vector.shape != (embedding.model.dimension,) or not np.isfinite(vector).all():
            raise InvalidOption(f"a vector has {embedding.model.dimension} finite numbers")


def find(session: Session, collection_id: str, *, lock: bool = False) -> Entry:
    """The collection with this name; with `lock`, nobody else changes it until the transaction ends. Raises
    `CollectionMissing`."""
    end = session.for_update if lock else ""
    rows = session.rows(f"SELECT {COLLECTION} FROM collections WHERE name = ?{end}", collection_id)  # noqa: S608
    if not rows:
        raise CollectionMissing(f"no collection is called {collection_id}")
    return Entry.of(rows[0])


def find_user(session: Session, entry: Entry, user_id: str) -> Row:
    """The row `USER` of a user. Raises `UserMissing`."""
    rows = session.rows(
        f"SELECT {USER} FROM users WHERE collection = ? AND user_id = ?",  # noqa: S608
        entry.id,
        user_id,
    )
    if not rows:
        raise UserMissing(f"the collection {entry.collection.collection_id} has no user {user_id}")
    return rows[0]


def numbers(session: Session, entry: Entry, count: int) -> range:
    """So many numbers that this collection never had."""
    ((last,),) = session.rows(
        "UPDATE collections SET last_number = last_number + ? WHERE id = ? RETURNING last_number", count, entry.id
    )
    return range(int(last) - count + 1, int(last) + 1)


def by_chunks(session: Session, statement: str, before: Sequence[Any], values: Sequence[Any]) -> list[Row]:
    """The rows of a statement that ends in `IN ({})`, for any number of values."""
    found: list[Row] = []
    for start in range(0, len(values), 1000):
        part = values[start : start + 1000]
        found += session.rows(statement.format(marks(part)), *before, *part)
    return found


Resolve = Callable[[Session, Sequence[int]], dict[int, T]]


def search(database: Database, look: Callable[[], Found], resolve: Resolve[T]) -> list[tuple[T, float]]:
    """What was found, with what each number stands for now. Looks again where something had changed in between."""
    for _ in range(5):
        found = look()
        with database.read() as session:
            known = resolve(session, [number for number, _ in found])
        if len(known) == len(found):
            break
    return [(known[number], distance) for number, distance in found if number in known]


def stored_face(row: Row, model: EmbeddingModel) -> StoredFace:
    """The face of a row `FACE`."""
    details = None if row[10] is None else json.loads(row[10])
    return StoredFace(row[1], row[2], RelativeBox(*row[3:7]), row[7], row[8], row[9], details, model)


def user(row: Row) -> User:
    """The user of a row `USER`."""
    faces = int(row[3])
    return User(row[1], UserStatus.ACTIVE if faces else UserStatus.CREATED, moment(row[2]), faces)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def dump_calibration(calibration: Calibration) -> str:
    return json.dumps(dataclasses.asdict(calibration))


def unique(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of its first."""
    return list(dict.fromkeys(values))


def page_of(rows: Sequence[Row], limit: int, kind: str, make: Callable[[Row], T]) -> Page[T]:
    """A page of rows that begin with their number, of which one more than `limit` was asked for."""
    items = tuple(make(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items, None)
    token = f"{kind}.{rows[limit - 1][0]}".encode()
    return Page(items, base64.urlsafe_b64encode(token).decode().rstrip("="))


def start_of(page: str | None, limit: int, kind: str) -> int:
    """The number behind which a page starts. Raises `InvalidPage` for a token that `page_of` never made, and
    `InvalidOption` for a limit below 1."""
    if limit < 1:
        raise InvalidOption("a page has at least one item")
    if page is None:
        return 0
    try:
        token = base64.b64decode(page + "=" * (-len(page) % 4), b"-_", validate=True).decode()
        made_for, _, number = token.partition(".")
        if made_for != kind or not number.isdecimal() or len(number) > 18:
            raise ValueError
        return int(number)
    except (ValueError, binascii.Error):
        raise InvalidPage("the token of the next page is not one that was given") from None
