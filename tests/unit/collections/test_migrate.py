"""Another model for a collection: everything at once, or nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.collections.base import Calibration, Embedding
from sightline.collections.migrate import migrate
from sightline.collections.open import DatabaseStore
from sightline.errors import InvalidOption, ModelMismatch, NoFace
from tests.unit.collections.people import CALIBRATION, MODEL, new_face, probe, vectors

NEW = replace(MODEL, name="new-embedder", version="9", sha256="c" * 64, dimension=8)
STATED = Calibration(1.0, 9.0, "the new card")


@pytest.fixture
def kept(store: DatabaseStore) -> DatabaseStore:
    store.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    faces = [new_face(vector, picture=f"picture {index}".encode()) for index, vector in enumerate(vectors(6))]
    ids = [face.face_id for face in store.faces.add("kept", MODEL, faces)]
    store.users.create("kept", "ann")
    store.users.create("kept", "bob")
    store.users.associate("kept", "ann", [ids[1], ids[4]])
    return store


def embed(picture: bytes) -> np.ndarray:
    return vectors(100, 42, NEW.dimension)[int(picture.split()[1])]


def test_faces_and_users_are_found_by_the_new_model_only(kept: DatabaseStore) -> None:
    before = kept.faces.list("kept", 9).items
    seen: list[tuple[int, int]] = []
    assert migrate(kept, "kept", NEW, STATED, embed, lambda done, total: seen.append((done, total))) == 6
    assert seen == [(done, 6) for done in range(1, 7)]
    collection = kept.collections.get("kept")
    assert (collection.model, collection.calibration, collection.faces, collection.users) == (NEW, STATED, 6, 2)
    assert kept.faces.list("kept", 9).items == tuple(replace(face, model=NEW) for face in before)
    for index, face in enumerate(before):
        query = Embedding(embed(f"picture {index}".encode()), NEW)
        (match,) = kept.faces.search("kept", query, 1)
        assert (match.face.face_id, match.distance) == (face.face_id, 0.0)
    mean = (embed(b"picture 1") + embed(b"picture 4")) / 2
    (match,) = kept.users.search("kept", Embedding(mean, NEW), 5)
    assert (match.user.user_id, match.distance) == ("ann", pytest.approx(0.0, abs=1e-6))
    with pytest.raises(ModelMismatch):
        kept.faces.search("kept", probe(vectors(1)[0]), 1)
    (later,) = kept.faces.add("kept", NEW, [new_face(vectors(1, 3, 8)[0], picture=b"picture 50")])
    assert kept.faces.delete("kept", [later.face_id]).done == (later.face_id,)
    assert migrate(kept, "kept", MODEL, CALIBRATION, lambda picture: vectors(9)[int(picture.split()[1])]) == 6
    assert kept.faces.search("kept", probe(vectors(6)[5]), 1)[0].distance == 0.0


def test_faces_that_come_and_go_meanwhile_are_taken_along(kept: DatabaseStore) -> None:
    ids = [face.face_id for face in kept.faces.list("kept", 9).items]
    embedded: list[bytes] = []

    def meanwhile(picture: bytes) -> np.ndarray:
        embedded.append(picture)
        if picture == b"picture 3":
            kept.faces.delete("kept", [ids[0], ids[5]])
        if picture == b"picture 4":
            kept.faces.add("kept", MODEL, [new_face(vectors(1, 7)[0], picture=b"picture 60")])
        if picture == b"picture 60":
            kept.faces.add("kept", MODEL, [new_face(vectors(1, 8)[0], picture=b"picture 61")])
        return embed(picture)

    assert migrate(kept, "kept", NEW, STATED, meanwhile) == 6
    assert sorted(embedded) == sorted(set(embedded)), "each once"
    for index in (1, 2, 3, 4, 60, 61):
        (match,) = kept.faces.search("kept", Embedding(embed(f"picture {index}".encode()), NEW), 1)
        assert match.distance == 0.0
    assert len(kept.faces.search("kept", Embedding(embed(b"picture 0"), NEW), 99)) == 6


def test_where_one_face_fails_nothing_changes(kept: DatabaseStore) -> None:
    before = kept.collections.get("kept"), kept.faces.list("kept", 9)

    def without(picture: bytes) -> np.ndarray:
        if picture == b"picture 5":
            raise NoFace("no face was found")
        return embed(picture)

    for wrong in (without, lambda picture: vectors(1)[0], lambda picture: np.full(8, np.nan, np.float32)):
        with pytest.raises(InvalidOption):
            migrate(kept, "kept", NEW, STATED, wrong)
    assert (kept.collections.get("kept"), kept.faces.list("kept", 9)) == before
    assert kept.faces.search("kept", probe(vectors(6)[5]), 1)[0].distance == 0.0


def test_without_pictures_there_is_nothing_to_embed(staff: DatabaseStore) -> None:
    staff.faces.add("staff", MODEL, [new_face(vectors(1)[0], picture=b"not kept")])
    with pytest.raises(InvalidOption, match="no picture"):
        migrate(staff, "staff", NEW, STATED, embed)
    assert staff.collections.get("staff").model == MODEL


def test_an_empty_collection_changes_at_once(staff: DatabaseStore) -> None:
    assert migrate(staff, "staff", NEW, STATED, embed) == 0
    assert staff.collections.get("staff").model == NEW
    staff.faces.add("staff", NEW, [new_face(vectors(1, 1, 8)[0])])


def test_vectors_that_are_not_of_all_faces_change_nothing(kept: DatabaseStore) -> None:
    ids = [face.face_id for face in kept.faces.list("kept", 9).items]
    given = dict(zip(ids, vectors(6, 1, 8), strict=True))
    fewer = {key: value for key, value in given.items() if key != ids[2]}
    for wrong in ({}, fewer, {**given, "nobody": vectors(1, 1, 8)[0]}):
        assert not kept.pictures.reembed("kept", NEW, STATED, wrong)
    assert kept.collections.get("kept").model == MODEL
    assert kept.pictures.reembed("kept", NEW, STATED, given)
