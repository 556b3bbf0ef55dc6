"""A store in PostgreSQL with pgvector: for several machines, or where PostgreSQL is kept anyway.

Each shelf is a table of its own, so that its HNSW index (Malkov and Yashunin 2016) knows no other collection's vectors
and removing a collection removes files. Small shelves, and searches for many results, are answered by reading every
row: exact, and as fast there.

The tables lie in the schema `sightline`. Removed rows are invisible at once; their bytes leave PostgreSQL's files with
the next vacuum and the recycling of its log, which are its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from sightline.collections import schema
from sightline.collections.base import Vector
from sightline.collections.database import WAIT_SECONDS, Found, Shelf, Vectors
from sightline.collections.pool import Pool
from sightline.errors import CollectionMissing, ModelMismatch, StoreUnavailable

_WORDS = {"key": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "bytes": "BYTEA", "real": "DOUBLE PRECISION"}

# Up to so many rows a search reads all of them, within 10 ms for 128 numbers a row; beyond, there is an index, which
# costs some milliseconds for every row that is added.
_EXACT_ROWS = 10_000
# pgvector gives at most `ef_search` rows, and allows at most 1,000; it is set to twice what is asked for.
_MOST_EF = 1000
_LEAST_EF = 200
# pgvector indexes at most so many numbers a vector.
_MOST_NUMBERS = 2000
# A table is read fastest where vectors lie in it, which they can up to so many numbers.
_MOST_INLINE = 1900
_PATH = "SELECT set_config('search_path', 'sightline, ' || current_setting('search_path'), ?)"
_SNAPSHOT: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_MIGRATION_LOCK = 7_415_983_022


class PostgresDatabase:
    """`database.Database` at a `postgresql://` address."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Pool[psycopg.Connection[Any]] = Pool(self._connect, _answers)
        with _told(), psycopg.connect(url, connect_timeout=10) as connection:
            session = _Session(connection)
            session.rows("SELECT pg_advisory_xact_lock(?)", _MIGRATION_LOCK)
            session.rows("CREATE EXTENSION IF NOT EXISTS vector")
            session.rows("CREATE SCHEMA IF NOT EXISTS sightline")
            session.rows(_PATH, True)
            schema.migrate(session, _WORDS)

    @contextmanager
    def read(self) -> Iterator[_Session]:
        with self._transaction(_SNAPSHOT) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[_Session]:
        with self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED") as session:
            yield session

    def search(self, shelf: Shelf, vector: Vector, limit: int, within: float = np.inf) -> Found:
        effort = max(_LEAST_EF, 2 * limit)
        rows: list[tuple[Any, ...]] = []
        with self._transaction(_SNAPSHOT) as session:
            if effort <= _MOST_EF and session.shelves.has_index(shelf):
                session.rows("SET LOCAL enable_seqscan = off")
                session.rows(f"SET LOCAL hnsw.ef_search = {effort:d}")
                rows = session.nearest(shelf, vector, limit)
            if len(rows) < limit:  # no index yet; or removed rows, which stay in it until a vacuum, took up the room
                session.rows("SET LOCAL enable_seqscan = on")
                session.rows("SET LOCAL enable_indexscan = off")
                rows = session.nearest(shelf, vector, limit)
        return [(int(number), float(distance)) for number, distance in rows if distance <= within]

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _transaction(self, begin: LiteralString) -> Iterator[_Session]:
        with _told(), self._pool.transaction(begin) as connection:
            yield _Session(connection)

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
        _Session(connection).rows(_PATH, False)
        connection.execute(f"SET lock_timeout = '{WAIT_SECONDS:g}s'")
        register_vector(connection)
        return connection


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


class _Session:
    """`database.Session`."""

    for_update = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.shelves = _Shelves(connection)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(_own(statement), values or None)
        return cursor.fetchall() if cursor.description else []

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_own(statement), rows)

    def nearest(self, shelf: Shelf, vector: Vector, limit: int) -> list[tuple[Any, ...]]:
        """Numbers and distances, by whatever plan the settings allow."""
        query = np.asarray(vector, np.float32)
        statement = f"SELECT number, data <-> ? FROM {_table(shelf)} ORDER BY data <-> ? LIMIT ?"  # noqa: S608
        return self.rows(statement, query, query, limit)


class _Shelves:
    """`database.Shelves`: a table a shelf."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def make(self, shelf: Shelf) -> None:
        table = _table(shelf)
        self._run(f"CREATE TABLE {table} (number BIGINT PRIMARY KEY, data vector({shelf.dimension:d}) NOT NULL)")
        if shelf.dimension <= _MOST_INLINE:
            self._run(f"ALTER TABLE {table} ALTER data SET STORAGE PLAIN")

    def put(self, shelf: Shelf, numbers: Sequence[int], vectors: Vectors) -> None:
        with self._connection.cursor() as cursor, cursor.copy(_own_copy(shelf)) as copy:
            copy.set_types(["int8", "vector"])
            for number, vector in zip(numbers, vectors, strict=True):
                copy.write_row((number, vector))
        # There cannot be more rows than numbers.
        if numbers[-1] > _EXACT_ROWS and shelf.dimension <= _MOST_NUMBERS and not self.has_index(shelf):
            ((count,),) = self._run(f"SELECT count(*) FROM {_table(shelf)}")  # noqa: S608
            if count > _EXACT_ROWS:
                self._run(f"CREATE INDEX {_index(shelf)} ON {_table(shelf)} USING hnsw (data vector_l2_ops)")

    def take(self, shelf: Shelf, numbers: Sequence[int]) -> Vectors:
        rows = self._run(f"SELECT number, data FROM {_table(shelf)} WHERE number = ANY(%s)", list(numbers))  # noqa: S608
        found = {number: vector.to_numpy() for number, vector in rows}
        return np.stack([found[number] for number in numbers]).astype(np.float32, copy=False)

    def drop(self, shelf: Shelf, numbers: Sequence[int]) -> None:
        self._run(f"DELETE FROM {_table(shelf)} WHERE number = ANY(%s)", list(numbers))  # noqa: S608

    def clear(self, shelf: Shelf) -> None:
        self._run(f"DROP TABLE {_table(shelf)}")

    def has_index(self, shelf: Shelf) -> bool:
        """Whether the shelf has grown enough for an HNSW index."""
        ((there,),) = self._run("SELECT to_regclass(%s) IS NOT NULL", _index(shelf))
        return bool(there)

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement.encode(), values or None, binary=True)
        return cursor.fetchall() if cursor.description else []


def _table(shelf: Shelf) -> str:
    return f"vectors_{shelf.collection:d}_{shelf.kind.name.lower()}"


def _index(shelf: Shelf) -> str:
    return f"{_table(shelf)}_hnsw"


def _own(statement: str) -> bytes:
    """A statement with PostgreSQL's marks for values. No statement here has either sign in its text."""
    return statement.replace("?", "%s").encode()


def _own_copy(shelf: Shelf) -> bytes:
    return f"COPY {_table(shelf)} (number, data) FROM STDIN (FORMAT BINARY)".encode()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with PostgreSQL, as `StoreUnavailable`, without the address, which may hold a password."""
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise CollectionMissing("the collection has just been deleted") from None
    except psycopg.errors.DataException:
        raise ModelMismatch("the collection has just been given vectors of another length") from None
    except psycopg.Error as error:
        said = re.sub(r"\s+", " ", str(error)).strip()
        raise StoreUnavailable(f"PostgreSQL does not answer: {said}") from error
