"""What only PostgreSQL has: an HNSW index once a collection is large."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sightline.collections.open import DatabaseStore, open_store
from tests.unit.collections.people import CALIBRATION, MODEL, new_faces, probe, vectors


@pytest.fixture
def server(postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseStore]:
    """A store that counts five hundred faces as many."""
    monkeypatch.setattr("sightline.collections.postgres._EXACT_ROWS", 500)
    opened = open_store(postgres())
    opened.collections.create("staff", MODEL, CALIBRATION)
    yield opened
    opened.close()


def indexes(store: DatabaseStore) -> list[str]:
    with store._database.read() as session:
        rows = session.rows("SELECT indexname FROM pg_indexes WHERE indexdef LIKE ?", "%hnsw%")
    return [name for (name,) in rows]


def nearest(found: np.ndarray, query: np.ndarray, count: int) -> set[int]:
    return set(np.argsort(np.linalg.norm(found - query, axis=1))[:count].tolist())


def test_a_large_collection_is_searched_by_an_index_and_hardly_misses(server: DatabaseStore) -> None:
    found = vectors(1200)
    faces = list(server.faces.add("staff", MODEL, new_faces(found[:400])))
    assert indexes(server) == []
    for start in range(400, 1200, 100):
        faces += server.faces.add("staff", MODEL, new_faces(found[start : start + 100]))
    assert indexes(server) == ["vectors_1_faces_hnsw"]
    place = {face.face_id: index for index, face in enumerate(faces)}
    hits = 0
    for query in vectors(40, 1):
        matches = server.faces.search("staff", probe(query), 10)
        assert [match.distance for match in matches] == sorted(match.distance for match in matches)
        hits += len({place[match.face.face_id] for match in matches} & nearest(found, query, 10))
    assert hits >= 0.98 * 400
    everything = server.faces.search("staff", probe(found[0]), 1200)
    assert len(everything) == 1200, "more than the index gives is read from the table"


def test_removed_faces_take_no_room_in_answers(server: DatabaseStore) -> None:
    found = vectors(1200)
    faces = server.faces.add("staff", MODEL, new_faces(found))
    order = np.argsort(np.linalg.norm(found - found[0], axis=1))
    for before, after in ((0, 195), (195, 600)):
        server.faces.delete("staff", [faces[index].face_id for index in order[before:after]])
        matches = server.faces.search("staff", probe(found[0]), 10)
        assert [match.face.face_id for match in matches] == [
            faces[index].face_id for index in order[after : after + 10]
        ]


def test_vectors_too_long_for_an_index_are_searched_all_the_same(
    postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.collections.postgres._EXACT_ROWS", 3)
    monkeypatch.setattr("sightline.collections.postgres._MOST_NUMBERS", 8)
    opened = open_store(postgres())
    opened.collections.create("staff", MODEL, CALIBRATION)
    faces = opened.faces.add("staff", MODEL, new_faces(vectors(9)))
    assert indexes(opened) == []
    assert opened.faces.search("staff", probe(vectors(9)[8]), 1)[0].face == faces[8]
    opened.close()
