"""Both stores, real: SQLite in a folder of its own, PostgreSQL with pgvector as a process of these tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.collections.open import DatabaseStore, open_store
from tests.unit.collections.people import CALIBRATION, MODEL

_count = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A running PostgreSQL; call it for the address of an empty database."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's client is not installed (psycopg, pgvector)")
    pytest.importorskip("pgvector", reason="pgvector's adapter is not installed")
    runtime = tmp_path_factory.mktemp("runtime")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    pgserver = pytest.importorskip("pgserver", reason="no PostgreSQL to start (the package pgserver)")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # It is the clients that are killed here, never the server: it need not wait for the disk.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")

    def database() -> str:
        name = f"test{next(_count)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(server.get_uri(database=name))

    yield database
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'faces.db'}"
    address: str = request.getfixturevalue("postgres")()
    return address


@pytest.fixture
def store(url: str) -> Iterator[DatabaseStore]:
    """An empty store of each kind."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def staff(store: DatabaseStore) -> DatabaseStore:
    """A store with the empty collection `staff`."""
    store.collections.create("staff", MODEL, CALIBRATION)
    return store
