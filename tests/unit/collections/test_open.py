"""Addresses of stores, what is wrong with them, and the connections behind them."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.collections.open import default_url, open_store
from sightline.collections.pool import Pool
from sightline.collections.sqlite import SqliteDatabase
from sightline.errors import CollectionMissing, InvalidOption, StoreUnavailable
from tests.unit.collections.people import CALIBRATION, MODEL, new_faces, probe, vectors


def test_a_sqlite_address_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    absolute = tmp_path / "a" / "faces.db"
    for address, path in (
        (f"sqlite:{absolute}", absolute),
        (f"sqlite://{absolute}", absolute),
        ("sqlite:b/faces.db", tmp_path / "b" / "faces.db"),
        ("sqlite:~/faces.db", tmp_path / "home" / "faces.db"),
    ):
        open_store(address).close()
        assert path.is_file()


def test_without_an_address_it_is_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == f"sqlite:{tmp_path / 'sightline' / 'collections.db'}"
    open_store().close()
    assert (tmp_path / "sightline" / "collections.db").is_file()


@pytest.mark.parametrize("address", ["mysql://x", "faces.db", "sqlite:", "sqlite://", "sqlite", "/tmp/faces.db"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidOption, match="sqlite:PATH"):
        open_store(address)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "faces.db"
    path.write_bytes(b"my only copy of something else" * 100)
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite:{path}")
    assert path.read_bytes() == b"my only copy of something else" * 100
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite:{tmp_path}")


def test_tables_of_a_newer_version_are_refused(url: str) -> None:
    opened = open_store(url)
    with opened._database.write() as session:
        session.rows("UPDATE schema_version SET version = 99")
    opened.close()
    with pytest.raises(StoreUnavailable, match="version 99"):
        open_store(url)


def test_a_server_that_is_not_there_is_said_without_its_password() -> None:
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    with pytest.raises(StoreUnavailable) as raised:
        open_store("postgresql://someone:hidden@127.0.0.1:1/faces")
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_connections_that_the_server_closed_are_replaced(postgres: Callable[[], str]) -> None:
    psycopg = pytest.importorskip("psycopg")
    url = postgres()
    opened = open_store(url)
    opened.collections.create("staff", MODEL, CALIBRATION)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert opened.collections.get("staff").model == MODEL
    opened.close()


def test_what_is_refused_costs_no_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = Pool.__init__

    def counting(pool: Pool, make: Callable[[], object], *rest: object) -> None:
        real(pool, lambda: made.append(1) or make(), *rest)  # type: ignore[arg-type,func-returns-value]

    monkeypatch.setattr(Pool, "__init__", counting)
    opened = open_store(url)
    for _ in range(20):
        with pytest.raises(CollectionMissing):
            opened.collections.get("nobody")
        with pytest.raises(CollectionMissing):
            opened.collections.delete("nobody")
    assert len(made) == 1
    opened.close()


def test_every_connection_flushes_and_overwrites(tmp_path: Path) -> None:
    """Power that fails cannot be tested here; that SQLite is told to reckon with it can."""
    database = SqliteDatabase(tmp_path / "faces.db")
    with database.read() as reading, database.write() as writing, database.following() as following:
        for connection in (reading.connection, writing.connection, following):
            names = ("synchronous", "secure_delete", "journal_mode")
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
            assert found == [2, 1, "wal"]
    database.close()


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    opened = open_store(f"sqlite:{tmp_path / 'store' / 'faces.db'}")
    opened.collections.create("staff", MODEL, CALIBRATION)
    opened.faces.add("staff", MODEL, new_faces(vectors(2)))
    opened.faces.search("staff", probe(vectors(1)[0]), 1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes.keys() >= {"store", "faces.db", "faces.db-wal", "faces.db-vectors"}
    open_to_others = [name for name, mode in modes.items() if mode & 0o077]
    # Inside a folder of mode 700, and empty, or closed to others itself.
    assert set(open_to_others) <= {"faces.db.lock", "1-faces-16.matrix"}
    assert modes["faces.db-vectors"] == 0o700
    opened.close()


def test_a_pool_lends_no_more_than_its_limit_and_makes_no_more_than_needed() -> None:
    made: list[sqlite3.Connection] = []

    def make() -> sqlite3.Connection:
        made.append(sqlite3.connect(":memory:", check_same_thread=False))
        return made[-1]

    pool = Pool(make, limit=2)
    for _ in range(5):
        with pool.lend():
            pass
    assert len(made) == 1
    third = threading.Event()

    def wait() -> None:
        with pool.lend():
            third.set()

    with pool.lend() as one:
        with pool.lend() as two:
            assert one is not two
            waiting = threading.Thread(target=wait)
            waiting.start()
            assert not third.wait(0.05)
        assert third.wait(5)
    waiting.join()
    assert len(made) == 2


def test_a_connection_whose_work_failed_is_not_lent_again() -> None:
    made = []

    class Connection:
        closed = False

        def execute(self, statement: str) -> None: ...

        def close(self) -> None:
            self.closed = True

    def make() -> Connection:
        made.append(Connection())
        return made[-1]

    pool = Pool(make, usable=lambda connection: connection is not made[1])
    with pytest.raises(KeyError), pool.lend():
        raise KeyError
    assert made[0].closed
    with pool.lend() as second:
        pass
    with pool.lend() as third:
        assert (second.closed, third is made[2]) == (True, True)
    pool.close()
    assert third.closed
    with pytest.raises(StoreUnavailable), pool.lend():
        pass
