"""A few connections, lent to whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, LiteralString, Protocol, TypeVar

from sightline.collections.database import WAIT_SECONDS
from sightline.errors import SightlineError, StoreUnavailable


class Connection(Protocol):
    """What a pool needs of a connection."""

    def execute(self, statement: LiteralString, /) -> Any: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """Connections made by `make` when needed, at most `limit` at once; the last one given back is lent next, if it is
    still `usable`."""

    def __init__(self, make: Callable[[], C], usable: Callable[[C], bool] = lambda _: True, limit: int = 16) -> None:
        self._make, self._usable, self._room = make, usable, threading.BoundedSemaphore(limit)
        self._idle: list[C] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[C]:
        """One connection for one block. A block that raises gets its connection closed: who knows its state."""
        if not self._room.acquire(timeout=WAIT_SECONDS):
            raise StoreUnavailable("every connection of the face store is busy")
        try:
            connection = self._take() or self._make()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            with self._lock:
                kept = not self._closed
                if kept:
                    self._idle.append(connection)
            if not kept:
                connection.close()
        finally:
            self._room.release()

    @contextmanager
    def transaction(self, begin: LiteralString) -> Iterator[C]:
        """One connection for one transaction. An error raised on purpose undoes it and costs no connection."""
        refused: SightlineError | None = None
        with self.lend() as connection:
            connection.execute(begin)
            try:
                yield connection
            except SightlineError as error:
                connection.execute("ROLLBACK")
                refused = error
            else:
                connection.execute("COMMIT")
        if refused is not None:
            raise refused

    def close(self) -> None:
        """Lend no more; those that are lent are closed when they come back."""
        with self._lock:
            self._closed = True
        self._forget()

    def _take(self) -> C | None:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the face store is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is not None and not self._usable(connection):
            # Whatever it was connected to has gone, and so have the others' ends.
            connection.close()
            self._forget()
            return None
        return connection

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
