"""What is removed from a SQLite store is in none of its files any more: not the vectors, not the pictures."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from sightline.collections import index
from sightline.collections.base import Calibration
from sightline.collections.open import DatabaseStore, open_store
from tests.unit.collections.people import CALIBRATION, MODEL, OTHER, new_face, new_faces, probe, vectors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def disk(folder: Path) -> Iterator[DatabaseStore]:
    opened = open_store(f"sqlite:{folder / 'faces.db'}")
    opened.collections.create("staff", MODEL, CALIBRATION)
    yield opened
    opened.close()


def content(folder: Path) -> bytes:
    """Every byte of every file of a store."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def traces(folder: Path, removed: Sequence[np.ndarray | bytes]) -> list[int]:
    """Which of these left eight bytes in a row behind, anywhere."""
    data = content(folder)
    there = np.concatenate([np.frombuffer(data[start:], "<u8", (len(data) - start) // 8) for start in range(8)])
    sought, owner = [], []
    for which, item in enumerate(removed):
        whole = item if isinstance(item, bytes) else item.tobytes()
        part = np.frombuffer(whole, "<u8", len(whole) // 8)
        sought.append(part)
        owner.append(np.full(len(part), which))
    found = np.isin(np.concatenate(sought), there)
    return sorted(set(np.concatenate(owner)[found].tolist()))


def test_the_search_for_traces_would_find_them(disk: DatabaseStore, folder: Path) -> None:
    found = vectors(3)
    disk.faces.add("staff", MODEL, new_faces(found))
    disk.faces.search("staff", probe(found[0]), 1)
    data = content(folder)
    assert traces(folder, list(found)) == [0, 1, 2]
    assert data.count(found[1].tobytes()) >= 2, "in the database or its log, and in the matrix"
    assert any(path.suffix == ".matrix" for path in folder.rglob("*"))


def test_a_deleted_face_leaves_no_trace(disk: DatabaseStore, folder: Path) -> None:
    found = vectors(50)
    faces = disk.faces.add("staff", MODEL, new_faces(found))
    disk.faces.search("staff", probe(found[0]), 1)
    for which in (0, 49, 20, 21, 22):
        disk.faces.delete("staff", [faces[which].face_id])
        assert traces(folder, [found[which]]) == []
    disk.faces.delete("staff", [face.face_id for face in faces])
    assert traces(folder, list(found)) == []


def test_a_face_that_no_search_has_seen_leaves_no_trace_either(disk: DatabaseStore, folder: Path) -> None:
    found = vectors(3)
    faces = disk.faces.add("staff", MODEL, new_faces(found))
    disk.faces.delete("staff", [face.face_id for face in faces])
    assert traces(folder, list(found)) == []


def test_a_users_vector_leaves_no_trace(disk: DatabaseStore, folder: Path) -> None:
    found = vectors(4)
    ids = [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(found))]
    disk.users.create("staff", "ann")
    means = []
    for step in (
        lambda: disk.users.associate("staff", "ann", ids[:2]),
        lambda: disk.users.associate("staff", "ann", ids[2:]),
        lambda: disk.users.disassociate("staff", "ann", ids[:1]),
    ):
        step()
        embedding = disk.users.embedding("staff", "ann")
        assert embedding is not None
        means.append(embedding.vector)
        disk.users.search("staff", probe(found[0]), 1)
        assert traces(folder, means) == [len(means) - 1], "only the one in use"
    disk.users.delete("staff", "ann")
    assert traces(folder, means) == []
    assert traces(folder, list(found)) == [0, 1, 2, 3]


def test_a_deleted_collection_leaves_no_trace(disk: DatabaseStore, folder: Path) -> None:
    disk.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    found, others = vectors(500), vectors(5, 9)
    pictures = [random.Random(which).randbytes(3000) for which in range(500)]
    faces = [new_face(vector, picture=picture) for vector, picture in zip(found, pictures, strict=True)]
    ids = [face.face_id for face in disk.faces.add("kept", MODEL, faces)]
    disk.faces.add("staff", MODEL, new_faces(others))
    disk.users.create("kept", "ann")
    disk.users.associate("kept", "ann", ids[:50])
    embedding = disk.users.embedding("kept", "ann")
    assert embedding is not None
    disk.users.search("kept", probe(found[0]), 1)
    disk.faces.search("kept", probe(found[0]), 1)
    disk.collections.delete("kept")
    assert traces(folder, [*found, embedding.vector]) == []
    assert traces(folder, pictures) == []
    assert traces(folder, list(others)) == [0, 1, 2, 3, 4]


def test_vectors_of_the_model_before_leave_no_trace(disk: DatabaseStore, folder: Path) -> None:
    before, after = vectors(40), vectors(40, 1)
    ids = [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(before))]
    disk.faces.search("staff", probe(before[0]), 1)
    assert disk.pictures.reembed("staff", OTHER, Calibration(1, 2, "x"), dict(zip(ids, after, strict=True)))
    assert traces(folder, list(before)) == []
    assert traces(folder, list(after)) == list(range(40))


@pytest.mark.parametrize("seed", range(3))
def test_many_additions_and_removals_leave_no_trace(disk: DatabaseStore, folder: Path, seed: int) -> None:
    """SQLite moves rows between pages as tables grow and shrink; with its own measures alone, stale bytes stay behind
    once in some thousand removals."""
    chance = random.Random(seed)
    disk.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    live: dict[tuple[str, str], tuple[np.ndarray, bytes]] = {}
    removed: list[np.ndarray] = []
    pictures: list[bytes] = []
    for step in range(40):
        name = chance.choice(["staff", "kept"])
        found = vectors(chance.randint(1, 60), seed * 1000 + step)
        given = [new_face(vector, picture=chance.randbytes(chance.randint(16, 9000))) for vector in found]
        for face, stored in zip(given, disk.faces.add(name, MODEL, given), strict=True):
            live[name, stored.face_id] = (face.vector, face.picture or b"")
        if step % 5 == 0:
            disk.faces.search(name, probe(found[0]), 3)
        gone = chance.sample(sorted(live), min(len(live), chance.randint(0, 55)))
        for place in ("staff", "kept"):
            disk.faces.delete(place, [face_id for where, face_id in gone if where == place])
        for key in gone:
            vector, picture = live.pop(key)
            removed.append(vector)
            pictures.append(picture)
    assert len(removed) > 500
    assert traces(folder, removed) == []
    assert traces(folder, pictures) == []
    assert len(traces(folder, [vector for vector, _ in live.values()])) == len(live)


@pytest.mark.parametrize("seed", [391, 548])
def test_pictures_that_sqlite_would_have_left_behind_are_gone(disk: DatabaseStore, folder: Path, seed: int) -> None:
    """These sequences were searched for: with pictures stored plainly, eight bytes and more of one stay in a page."""
    chance = random.Random(seed)
    size = chance.choice([300, 380, 400, 420, 450, 480, 500, 520, 560, 600, 700, 900])
    disk.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    live: dict[int, tuple[str, bytes]] = {}
    removed: list[bytes] = []
    count = 0
    for _ in range(6):
        pictures = [chance.randbytes(size) for _ in range(chance.randint(1, 60))]
        faces = [new_face(vectors(1)[0], picture=picture) for picture in pictures]
        for stored, picture in zip(disk.faces.add("kept", MODEL, faces), pictures, strict=True):
            count += 1
            live[count] = (stored.face_id, picture)
        for number in chance.sample(sorted(live), min(len(live), chance.randint(0, 55))):
            face_id, picture = live.pop(number)
            disk.faces.delete("kept", [face_id])
            removed.append(picture)
    assert traces(folder, removed) == []
    assert list(disk.pictures.each("kept")) == list(live.values())


def test_freed_room_is_used_again(disk: DatabaseStore, folder: Path) -> None:
    for round_ in range(6):
        ids = [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(vectors(500, round_)))]
        disk.faces.delete("staff", ids)
    with sqlite3.connect(folder / "faces.db") as connection:
        assert connection.execute("SELECT count(*) FROM slots").fetchall() == [(500,)]


def test_a_crash_between_removal_and_answer_is_cleaned_up_when_the_store_is_opened(
    disk: DatabaseStore, folder: Path, tmp_path: Path
) -> None:
    found = vectors(30)
    ids = [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(found))]
    disk.faces.search("staff", probe(found[0]), 1)
    other = sqlite3.connect(folder / "faces.db")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM faces").fetchone()  # holds up the checkpoint that empties the log
    database = disk._database
    database._writer.execute("PRAGMA busy_timeout = 1")  # type: ignore[attr-defined]
    disk.faces.delete("staff", ids)
    assert traces(folder, list(found)), "the log still has them"
    crashed = tmp_path / "crashed"
    shutil.copytree(folder, crashed)
    other.close()
    again = open_store(f"sqlite:{crashed / 'faces.db'}")
    assert traces(crashed, list(found)) == []
    again.close()
    disk.users.create("staff", "ann")
    assert traces(folder, list(found)) == [], "the next write tries again"


@pytest.mark.parametrize("seen", [True, False], ids=["searched", "not searched"])
@pytest.mark.parametrize("lost", [True, False], ids=["anew", "appended"])
@pytest.mark.parametrize("survives", range(6))
def test_a_crash_while_a_matrix_is_written_leaves_no_trace_after_deletion(
    disk: DatabaseStore, folder: Path, monkeypatch: pytest.MonkeyPatch, survives: int, lost: bool, seen: bool
) -> None:
    found = vectors(40)
    ids = [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(found[:20]))]
    disk.faces.search("staff", probe(found[0]), 1)
    ids += [face.face_id for face in disk.faces.add("staff", MODEL, new_faces(found[20:]))]
    if lost:
        shutil.rmtree(folder / "faces.db-vectors")
    real, left = index._write, [survives]

    class CrashError(BaseException): ...

    def write(*arguments: object) -> None:
        if not left[0]:
            raise CrashError
        left[0] -= 1
        real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(index, "_write", write)
        try:
            disk.faces.search("staff", probe(found[0]), 1)
            disk.faces.delete("staff", ids[:3])
        except CrashError:
            pass
    again = open_store(f"sqlite:{folder / 'faces.db'}")
    left_over = [face.face_id for face in again.faces.list("staff", 99).items]
    if seen:
        matches = again.faces.search("staff", probe(found[39]), 99)
        assert {match.face.face_id for match in matches} == set(left_over)
        assert matches[0].distance == 0.0
    again.faces.delete("staff", left_over)
    assert traces(folder, list(found)) == []
    again.close()
