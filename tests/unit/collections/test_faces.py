"""Faces: stored once, found exactly, listed in pages, removed."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from sightline.collections.base import Embedding, Outcome, Reason, Refused, RelativeBox
from sightline.collections.open import DatabaseStore
from sightline.errors import FaceMissing, InvalidOption, InvalidPage, ModelMismatch, UserMissing
from tests.unit.collections.people import CALIBRATION, MODEL, OTHER, new_face, new_faces, probe, vectors

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_face_comes_back_as_it_was_given(staff: DatabaseStore) -> None:
    details = {"Pose": {"Yaw": -3.25}, "ä": [1, None, "x"]}
    given = new_face(vectors(1)[0], external_image_id="badge:7", details=details, confidence=0.125)
    (face,) = staff.faces.add("staff", MODEL, [given])
    assert UUID.fullmatch(face.face_id)
    assert (face.image_id, face.external_image_id, face.box) == (given.image_id, "badge:7", given.box)
    assert (face.confidence, face.details, face.user_id, face.model) == (0.125, details, None, MODEL)
    assert staff.faces.get("staff", face.face_id) == face
    embedding = staff.faces.embedding("staff", face.face_id)
    assert (embedding.model, embedding.vector.tolist()) == (MODEL, given.vector.tolist())
    assert staff.collections.get("staff").faces == 1
    for call in (staff.faces.get, staff.faces.embedding):
        with pytest.raises(FaceMissing):
            call("staff", "00000000-0000-4000-8000-000000000000")


def test_the_same_face_of_the_same_picture_is_stored_once(staff: DatabaseStore) -> None:
    given = new_face(vectors(1)[0], external_image_id="one")
    (first, second) = staff.faces.add("staff", MODEL, [given, given])
    assert first == second
    assert staff.faces.add("staff", MODEL, [given]) == (first,)
    elsewhere = replace(given, box=RelativeBox(0.0, 0.0, 0.1, 0.1))
    renamed, unnamed = replace(given, external_image_id="two"), replace(given, external_image_id=None)
    others = staff.faces.add("staff", MODEL, [elsewhere, given, renamed, unnamed])
    assert others[1] == first
    assert len({face.face_id for face in others}) == 4
    assert staff.collections.get("staff").faces == 4
    staff.faces.delete("staff", [first.face_id])
    (again,) = staff.faces.add("staff", MODEL, [given])
    assert again.face_id != first.face_id


def test_nothing_is_stored_of_a_request_with_one_bad_face(staff: DatabaseStore) -> None:
    good = new_face(vectors(1)[0])
    bad = [
        np.full(16, np.nan, np.float32),
        np.array([np.inf] + [0.0] * 15, np.float32),
        np.zeros(15, np.float32),
        np.zeros((1, 16), np.float32),
    ]
    for vector in bad:
        with pytest.raises(InvalidOption):
            staff.faces.add("staff", MODEL, [good, new_face(vector)])
        with pytest.raises(InvalidOption):
            staff.faces.search("staff", probe(vector), 1)
    assert staff.faces.add("staff", MODEL, []) == ()
    assert staff.faces.list("staff", 9).items == ()


def test_vectors_of_another_model_are_refused(staff: DatabaseStore) -> None:
    staff.faces.add("staff", MODEL, new_faces(vectors(2)))
    for model in (OTHER, replace(MODEL, name="x"), replace(MODEL, sha256="b" * 64), replace(MODEL, dimension=8)):
        given = vectors(1, dimension=model.dimension)
        with pytest.raises(ModelMismatch, match="migrate"):
            staff.faces.add("staff", model, new_faces(given))
        with pytest.raises(ModelMismatch):
            staff.faces.search("staff", Embedding(given[0], model), 1)
        with pytest.raises(ModelMismatch):
            staff.users.search("staff", Embedding(given[0], model), 1)
    assert staff.collections.get("staff").faces == 2


def test_search_is_exact_sorted_limited_and_within(staff: DatabaseStore) -> None:
    found = vectors(300)
    faces = staff.faces.add("staff", MODEL, new_faces(found))
    query = vectors(1, 99)[0]
    truth = np.linalg.norm(found.astype(np.float64) - query, axis=1)
    order = np.argsort(truth)
    for limit in (1, 7, 300, 4096):
        matches = staff.faces.search("staff", probe(query), limit)
        assert [match.face for match in matches] == [faces[index] for index in order[:limit]]
        np.testing.assert_allclose([match.distance for match in matches], truth[order[:limit]], rtol=1e-6)
    within = float((truth[order[9]] + truth[order[10]]) / 2)
    assert len(staff.faces.search("staff", probe(query), 4096, within=within)) == 10
    assert len(staff.faces.search("staff", probe(query), 4, within=within)) == 4
    assert staff.faces.search("staff", probe(query), 4, within=float(truth.min()) / 2) == ()
    assert staff.faces.search("staff", probe(query), 4, within=-1.0) == ()
    with pytest.raises(InvalidOption):
        staff.faces.search("staff", probe(query), 0)


def test_a_face_is_at_distance_nought_of_itself_and_can_be_left_out(staff: DatabaseStore) -> None:
    faces = staff.faces.add("staff", MODEL, new_faces(vectors(20)))
    for face in faces:
        embedding = staff.faces.embedding("staff", face.face_id)
        first, *_ = staff.faces.search("staff", embedding, 3, within=0.0)
        assert (first.face, first.distance) == (face, 0.0)
        others = staff.faces.search("staff", embedding, 3, besides=face.face_id)
        assert len(others) == 3
        assert face not in [match.face for match in others]
    everyone = staff.faces.search("staff", embedding, 20, besides=face.face_id, within=math.inf)
    assert len(everyone) == 19


def test_equal_vectors_are_all_found(staff: DatabaseStore) -> None:
    faces = staff.faces.add("staff", MODEL, new_faces(np.repeat(vectors(1), 40, axis=0)))
    matches = staff.faces.search("staff", probe(vectors(1)[0]), 40)
    assert {match.face.face_id for match in matches} == {face.face_id for face in faces}
    assert len(staff.faces.search("staff", probe(vectors(1)[0]), 7)) == 7


def test_search_follows_additions_and_removals(staff: DatabaseStore) -> None:
    found = vectors(30)
    kept: list[str] = []
    for index in range(30):
        (face,) = staff.faces.add("staff", MODEL, [new_face(found[index])])
        kept.append(face.face_id)
        (match,) = staff.faces.search("staff", probe(found[index]), 1)
        assert match.face == face
        if index % 3 == 2:
            gone = kept.pop(index // 3)
            embedding = staff.faces.embedding("staff", gone)
            assert staff.faces.delete("staff", [gone]).done == (gone,)
            assert gone not in [match.face.face_id for match in staff.faces.search("staff", embedding, 50)]
    assert {match.face.face_id for match in staff.faces.search("staff", probe(found[0]), 50)} == set(kept)


def test_deleting_says_what_became_of_each_face(staff: DatabaseStore) -> None:
    one, two, three = (face.face_id for face in staff.faces.add("staff", MODEL, new_faces(vectors(3))))
    staff.users.create("staff", "ann")
    staff.users.associate("staff", "ann", [two])
    outcome = staff.faces.delete("staff", [three, "nobody", two, one, three])
    assert outcome == Outcome(
        (three, one),
        (
            Refused("nobody", Reason.FACE_NOT_FOUND),
            Refused(two, Reason.ASSOCIATED_TO_AN_EXISTING_USER, "ann"),
        ),
    )
    assert staff.faces.delete("staff", [one]).refused == (Refused(one, Reason.FACE_NOT_FOUND),)
    assert [face.face_id for face in staff.faces.list("staff", 9).items] == [two]
    assert staff.collections.get("staff").faces == 1


def test_thousands_are_added_listed_and_deleted_at_once(staff: DatabaseStore) -> None:
    faces = staff.faces.add("staff", MODEL, new_faces(vectors(4200)))
    ids = [face.face_id for face in faces]
    page = staff.faces.list("staff", 4096, face_ids=ids)
    rest = staff.faces.list("staff", 4096, page.next, face_ids=ids)
    assert (*page.items, *rest.items) == faces
    assert len(staff.faces.search("staff", probe(vectors(1)[0]), 4096)) == 4096
    assert staff.faces.delete("staff", ids[:4096]).done == tuple(ids[:4096])
    assert [face.face_id for face in staff.faces.list("staff", 4096).items] == ids[4096:]
    assert len(staff.faces.search("staff", probe(vectors(1)[0]), 4096)) == 104


def test_lists_can_be_narrowed(staff: DatabaseStore) -> None:
    faces = staff.faces.add("staff", MODEL, new_faces(vectors(9)))
    ids = [face.face_id for face in faces]
    staff.users.create("staff", "ann")
    staff.users.create("staff", "bob")
    staff.users.associate("staff", "ann", ids[2:6])

    def listed(**narrowed: object) -> list[str]:
        seen, token = [], None
        while True:
            page = staff.faces.list("staff", 2, token, **narrowed)  # type: ignore[arg-type]
            seen += [face.face_id for face in page.items]
            token = page.next
            if token is None:
                return seen

    assert listed() == ids
    assert listed(user_id="ann") == ids[2:6]
    assert listed(user_id="bob") == []
    assert listed(face_ids=[ids[7], "nobody", ids[3], ids[3]]) == [ids[3], ids[7]]
    assert listed(user_id="ann", face_ids=[ids[7], ids[3]]) == [ids[3]]
    assert listed(face_ids=[]) == []
    assert all(face.user_id == "ann" for face in staff.faces.list("staff", 9, user_id="ann").items)
    with pytest.raises(UserMissing):
        listed(user_id="eve")
    with pytest.raises(InvalidPage):
        staff.faces.list("staff", 2, staff.users.list("staff", 1).next)


def test_a_page_survives_what_happens_in_between(staff: DatabaseStore) -> None:
    faces = [face.face_id for face in staff.faces.add("staff", MODEL, new_faces(vectors(6)))]
    page = staff.faces.list("staff", 3)
    staff.faces.delete("staff", [faces[2], faces[3]])
    (late,) = staff.faces.add("staff", MODEL, new_faces(vectors(1, 5)))
    rest = staff.faces.list("staff", 9, page.next)
    assert [face.face_id for face in rest.items] == [faces[4], faces[5], late.face_id]


def test_pictures_are_kept_only_where_asked_for(staff: DatabaseStore) -> None:
    staff.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    found = vectors(3)
    with_pictures = [new_face(vector, picture=bytes([index]) * 5000) for index, vector in enumerate(found)]
    first, second, third = staff.faces.add("kept", MODEL, with_pictures)
    staff.faces.add("staff", MODEL, with_pictures)
    assert [picture for _, picture in staff.pictures.each("staff")] == [None, None, None]
    pictures = [bytes([index]) * 5000 for index in range(3)]
    ids = [first.face_id, second.face_id, third.face_id]
    assert list(staff.pictures.each("kept")) == list(zip(ids, pictures, strict=True))
    assert list(staff.pictures.each("kept", after=ids[1])) == [(ids[2], pictures[2])]
    staff.faces.delete("kept", [ids[1]])
    assert [face_id for face_id, _ in staff.pictures.each("kept")] == [ids[0], ids[2]]
    with pytest.raises(InvalidOption, match="keeps pictures"):
        staff.faces.add("kept", MODEL, [new_face(found[0])])
    assert staff.collections.get("kept").faces == 2
