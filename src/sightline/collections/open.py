"""Opening a store by its address."""

from __future__ import annotations

from pathlib import Path

from sightline.collections.base import Collections, Faces, Pictures, Users
from sightline.collections.collection_table import CollectionTable
from sightline.collections.database import Database
from sightline.collections.face_table import FaceTable
from sightline.collections.picture_table import PictureTable
from sightline.collections.user_table import UserTable
from sightline.errors import InvalidOption, StoreUnavailable


class DatabaseStore:
    """`base.Store` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.collections: Collections = CollectionTable(database)
        self.faces: Faces = FaceTable(database)
        self.users: Users = UserTable(database)
        self.pictures: Pictures = PictureTable(database)

    def close(self) -> None:
        self._database.close()


def default_url() -> str:
    """A SQLite file in the user's data folder."""
    from platformdirs import user_data_path

    return f"sqlite:{user_data_path('sightline') / 'collections.db'}"


def open_store(url: str | None = None) -> DatabaseStore:
    """The store at `sqlite:PATH` or `postgresql://USER@HOST/DATABASE`, made if it is new; None is `default_url`.

    A SQLite path must lie on a disk of this machine: its locks do not work over a network. Raises `InvalidOption` for
    another kind of address and `StoreUnavailable` where the store cannot be opened.
    """
    url = url or default_url()
    scheme, colon, rest = url.partition(":")
    if scheme == "sqlite" and colon and rest.strip("/"):
        from sightline.collections.sqlite import SqliteDatabase

        path = rest[2:] if rest.startswith("///") else rest
        return DatabaseStore(SqliteDatabase(Path(path).expanduser()))
    if scheme in ("postgresql", "postgres"):
        try:
            from sightline.collections.postgres import PostgresDatabase
        except ImportError:
            raise StoreUnavailable("PostgreSQL needs an extra: pip install 'sightline[postgres]'") from None
        return DatabaseStore(PostgresDatabase(url))
    raise InvalidOption("a face store is sqlite:PATH or postgresql://USER@HOST/DATABASE")
