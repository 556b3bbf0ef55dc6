"""A store in one SQLite file: the default, for one machine, any number of threads and processes.

Vectors lie in the table; each shelf has a matrix beside the file to search in (`index.py`). A commit is flushed to disk
before it returns. What is removed is overwritten in the database, cut out of the write-ahead log, and wiped from the
matrix, before the removal is answered.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from sightline.collections import schema
from sightline.collections.base import Vector
from sightline.collections.database import WAIT_SECONDS, Found, Shelf, Vectors, marks
from sightline.collections.index import Batches, Matrices, Matrix, State
from sightline.collections.pool import Pool
from sightline.errors import StoreUnavailable

_WORDS = {"key": "INTEGER PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB", "real": "REAL"}

# A vector lies in a slot, and slots are never deleted: they are overwritten with zeros, and used again. SQLite's
# secure_delete alone is not enough, since moving rows between pages to fill up after a deletion can leave stale bytes.
_OWN = (
    (
        "CREATE TABLE slots (slot INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        "CREATE TABLE free_slots (size INTEGER, slot INTEGER, PRIMARY KEY (size, slot)) WITHOUT ROWID",
        """CREATE TABLE vectors (collection INTEGER, kind INTEGER, number INTEGER, slot INTEGER NOT NULL,
            PRIMARY KEY (collection, kind, number)) WITHOUT ROWID""",
        """CREATE TABLE shelves (collection INTEGER, kind INTEGER, dimension INTEGER NOT NULL,
            last_number INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (collection, kind)) WITHOUT ROWID""",
    ),
)
_BATCH = 4096


class SqliteDatabase:
    """`database.Database` in the file `path`; made, with its folder, if it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.RLock()
        self._lock = _FileLock(path.with_name(path.name + ".lock"))
        self._matrices = Matrices(path.with_name(path.name + "-vectors"), self._lock)
        self._readers = Pool(self._connect)
        self._unswept = True
        with _told():
            # Faces are nobody else's business, unless somebody opens the file to others on purpose.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with self._lock.held():  # two processes that both make the file get in each other's way
                self._writer = self._connect()
                # Reads for a matrix come while its lock is held: never wait for one that waits for the lock.
                self._follower = self._connect()
                with self.write() as session:
                    schema.migrate(session, _WORDS, _OWN)

    @contextmanager
    def read(self) -> Iterator[_Session]:
        with _told(), self._readers.transaction("BEGIN") as connection:
            yield _Session(connection)

    @contextmanager
    def write(self) -> Iterator[_Session]:
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise StoreUnavailable("the face store is busy writing")
        try:
            with _told():
                connection = self._writer
                connection.execute("BEGIN IMMEDIATE")
                try:
                    session = _Session(connection)
                    yield session
                    self._commit(session)
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                self._sweep()
        finally:
            self._turn.release()

    def search(self, shelf: Shelf, vector: Vector, limit: int, within: float = np.inf) -> Found:
        with _told():
            return self._matrix(shelf).search(_Source(self, shelf), vector, limit, within)

    def close(self) -> None:
        with self._turn:
            self._readers.close()
            self._follower.close()
            self._writer.close()

    def _commit(self, session: _Session) -> None:
        """Commit; vectors that were removed leave the matrices first, and nobody follows the table in between."""
        if not session.shelves.dropped and not session.shelves.cleared:
            session.connection.execute("COMMIT")
            return
        self._unswept = True
        with self._lock.held():
            for shelf, numbers in session.shelves.dropped.items():
                self._matrix(shelf).wipe(numbers)
            for shelf in session.shelves.cleared:
                self._matrix(shelf).remove()
            session.connection.execute("COMMIT")

    def _sweep(self) -> None:
        """Empty the write-ahead log, which still has the pages as they were. Where a reader is in the way for longer
        than anyone waits, the next write tries again."""
        if self._unswept:
            with contextlib.suppress(sqlite3.OperationalError):  # it is locked
                busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._unswept = bool(busy)

    def _matrix(self, shelf: Shelf) -> Matrix:
        return self._matrices.of(f"{shelf.collection}-{shelf.kind.name.lower()}-{shelf.dimension}", shelf.dimension)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for setting in (
            "page_size = 4096",
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            "temp_store = MEMORY",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {setting}")
        return connection

    @contextmanager
    def following(self) -> Iterator[sqlite3.Connection]:
        """The connection for reading on behalf of a matrix, inside a transaction. The matrices' lock is held."""
        self._follower.execute("BEGIN")
        try:
            yield self._follower
        finally:
            self._follower.execute("COMMIT")


class _Session:
    """`database.Session`."""

    for_update = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.shelves = _Shelves(connection)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement, values).fetchall()

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self.connection.executemany(statement, rows)


class _Shelves:
    """`database.Shelves`; remembers what was removed, for the matrices."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.dropped: dict[Shelf, list[int]] = {}
        self.cleared: list[Shelf] = []

    def make(self, shelf: Shelf) -> None:
        self._connection.execute(
            "INSERT INTO shelves VALUES (?, ?, ?, 0, 0)", (shelf.collection, shelf.kind, shelf.dimension)
        )

    def put(self, shelf: Shelf, numbers: Sequence[int], vectors: Vectors) -> None:
        execute = self._connection.execute
        size = 4 * shelf.dimension
        free = execute("SELECT slot FROM free_slots WHERE size = ? LIMIT ?", (size, len(numbers))).fetchall()
        given = []
        for vector, reused in itertools.zip_longest(np.ascontiguousarray(vectors, "<f4"), free):
            data = vector.tobytes()
            if reused is None:
                given.append(execute("INSERT INTO slots (data) VALUES (?)", (data,)).lastrowid)
            else:
                execute("UPDATE slots SET data = ? WHERE slot = ?", (data, *reused))
                given.append(reused[0])
        self._connection.executemany(
            "DELETE FROM free_slots WHERE size = ? AND slot = ?", [(size, slot) for (slot,) in free]
        )
        self._connection.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?, ?)",
            [(shelf.collection, shelf.kind, number, slot) for number, slot in zip(numbers, given, strict=True)],
        )
        self._state(shelf, _state(self._connection, shelf).plus(numbers, vectors))

    def take(self, shelf: Shelf, numbers: Sequence[int]) -> Vectors:
        found: dict[int, bytes] = {}
        for start in range(0, len(numbers), 1000):
            part = numbers[start : start + 1000]
            wanted = f"collection = ? AND kind = ? AND number IN ({marks(part)})"
            statement = f"SELECT number, data FROM vectors JOIN slots USING (slot) WHERE {wanted}"  # noqa: S608
            found |= self._connection.execute(statement, (shelf.collection, shelf.kind, *part)).fetchall()
        return np.stack([np.frombuffer(found[number], "<f4") for number in numbers])

    def drop(self, shelf: Shelf, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        state = _state(self._connection, shelf).minus(numbers, self.take(shelf, numbers))
        keys = [(shelf.collection, shelf.kind, number) for number in numbers]
        self._zero(shelf, "collection = ? AND kind = ? AND number = ?", keys)
        self._state(shelf, state)
        self.dropped.setdefault(shelf, []).extend(numbers)

    def clear(self, shelf: Shelf) -> None:
        key = (shelf.collection, shelf.kind)
        self._zero(shelf, "collection = ? AND kind = ?", [key])
        self._connection.execute("DELETE FROM shelves WHERE collection = ? AND kind = ?", key)
        self.cleared.append(shelf)

    def _zero(self, shelf: Shelf, where: str, keys: Sequence[tuple[int, ...]]) -> None:
        size = 4 * shelf.dimension
        many = self._connection.executemany
        slots = f"(SELECT slot FROM vectors WHERE {where})"  # noqa: S608
        many(f"UPDATE slots SET data = zeroblob({size}) WHERE slot IN {slots}", keys)  # noqa: S608
        many(f"INSERT INTO free_slots SELECT {size}, slot FROM vectors WHERE {where}", keys)  # noqa: S608
        many(f"DELETE FROM vectors WHERE {where}", keys)  # noqa: S608

    def _state(self, shelf: Shelf, state: State) -> None:
        self._connection.execute(
            "UPDATE shelves SET last_number = ?, sum = ? WHERE collection = ? AND kind = ?",
            (state.last, state.sum, shelf.collection, shelf.kind),
        )


class _Source:
    """`index.Source`: one shelf's rows."""

    def __init__(self, database: SqliteDatabase, shelf: Shelf) -> None:
        self._database, self._shelf = database, shelf

    def state(self) -> State:
        with self._database.read() as session:
            return _state(session.connection, self._shelf)

    @contextmanager
    def since(self, number: int) -> Iterator[tuple[State, Batches]]:
        with self._database.following() as connection:
            rows = connection.execute(
                "SELECT number, data FROM vectors JOIN slots USING (slot) "
                "WHERE collection = ? AND kind = ? AND number > ? ORDER BY number",
                (self._shelf.collection, self._shelf.kind, number),
            )
            state = _state(connection, self._shelf)
            # No shelf: removed since, or made anew for vectors of another length.
            yield state, self._batches(rows) if state.last else iter(())

    def _batches(self, rows: sqlite3.Cursor) -> Batches:
        while part := rows.fetchmany(_BATCH):
            data = b"".join(data for _, data in part)
            yield [number for number, _ in part], np.frombuffer(data, "<f4").reshape(len(part), -1)


class _FileLock:
    """`index.Lock`: one holder among all threads of all processes."""

    def __init__(self, path: Path) -> None:
        self._path, self._thread = path, threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        if not self._thread.acquire(timeout=WAIT_SECONDS):
            raise StoreUnavailable("the face store is busy with its matrices")
        try:
            with filelock.FileLock(self._path, WAIT_SECONDS).acquire(poll_interval=0.002):
                yield
        except filelock.Timeout:
            raise StoreUnavailable(f"another process holds {self._path}") from None
        finally:
            self._thread.release()


def _state(connection: sqlite3.Connection, shelf: Shelf) -> State:
    row = connection.execute(
        "SELECT last_number, sum FROM shelves WHERE collection = ? AND kind = ? AND dimension = ?",
        (shelf.collection, shelf.kind, shelf.dimension),
    ).fetchone()
    return State(*row) if row else State()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with files and SQLite, as `StoreUnavailable`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the face store does not answer: {error}") from error
