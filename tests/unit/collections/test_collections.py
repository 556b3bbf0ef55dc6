"""Collections: made once, listed in pages, tagged, calibrated, deleted whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sightline.collections.base import Calibration
from sightline.collections.open import DatabaseStore, open_store
from sightline.errors import (
    CollectionExists,
    CollectionMissing,
    InvalidOption,
    InvalidPage,
    StoreUnavailable,
    TooManyTags,
)
from tests.unit.collections.people import CALIBRATION, MODEL, OTHER, new_face, new_faces, probe, vectors


def test_a_new_collection_is_what_was_asked_for(store: DatabaseStore) -> None:
    made = store.collections.create("staff", MODEL, CALIBRATION, tags={"team": "ä 1"}, keep_pictures=True)
    assert made == store.collections.get("staff")
    assert (made.collection_id, made.model, made.calibration) == ("staff", MODEL, CALIBRATION)
    assert (made.faces, made.users, made.keep_pictures, made.tags) == (0, 0, True, {"team": "ä 1"})
    assert abs(made.created - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_name_is_given_once_and_letters_have_their_case(staff: DatabaseStore) -> None:
    with pytest.raises(CollectionExists):
        staff.collections.create("staff", OTHER, CALIBRATION)
    staff.collections.create("Staff", OTHER, CALIBRATION)
    assert staff.collections.get("staff").model == MODEL
    assert staff.collections.get("Staff").model == OTHER


def test_a_missing_collection_is_missing_everywhere(store: DatabaseStore) -> None:
    calls = [
        lambda: store.collections.get("staff"),
        lambda: store.collections.delete("staff"),
        lambda: store.collections.tag("staff", {"a": "b"}),
        lambda: store.collections.untag("staff", ["a"]),
        lambda: store.collections.calibrate("staff", CALIBRATION),
        lambda: store.faces.add("staff", MODEL, new_faces(vectors(1))),
        lambda: store.faces.get("staff", "x"),
        lambda: store.faces.embedding("staff", "x"),
        lambda: store.faces.list("staff", 1),
        lambda: store.faces.delete("staff", ["x"]),
        lambda: store.faces.search("staff", probe(vectors(1)[0]), 1),
        lambda: store.users.create("staff", "ann"),
        lambda: store.users.get("staff", "ann"),
        lambda: store.users.embedding("staff", "ann"),
        lambda: store.users.list("staff", 1),
        lambda: store.users.delete("staff", "ann"),
        lambda: store.users.associate("staff", "ann", ["x"]),
        lambda: store.users.disassociate("staff", "ann", ["x"]),
        lambda: store.users.search("staff", probe(vectors(1)[0]), 1),
        lambda: list(store.pictures.each("staff")),
        lambda: store.pictures.reembed("staff", MODEL, CALIBRATION, {}),
    ]
    for call in calls:
        with pytest.raises(CollectionMissing):
            call()


def test_pages_hold_every_collection_once_oldest_first(store: DatabaseStore) -> None:
    names = [f"c{(number * 7) % 11}" for number in range(11)]
    for name in names:
        store.collections.create(name, MODEL, CALIBRATION)
    for limit in (1, 3, 11, 50):
        seen: list[str] = []
        page = store.collections.list(limit)
        while True:
            assert len(page.items) <= limit
            seen += [item.collection_id for item in page.items]
            if page.next is None:
                break
            page = store.collections.list(limit, page.next)
        assert seen == names


@pytest.mark.parametrize("token", ["", "x", "Zm9v", "ünï", "ZmFjZXMuMQ", "Y29sbGVjdGlvbnMuLTE", "a" * 255])
def test_a_token_that_was_never_given_is_refused(store: DatabaseStore, token: str) -> None:
    with pytest.raises(InvalidPage):
        store.collections.list(5, token)
    with pytest.raises(InvalidOption):
        store.collections.list(0)


def test_deleting_takes_everything_along_and_frees_the_name(staff: DatabaseStore) -> None:
    (face, other) = staff.faces.add("staff", MODEL, new_faces(vectors(2)))
    staff.users.create("staff", "ann", token="once")
    staff.users.associate("staff", "ann", [face.face_id])
    staff.collections.delete("staff")
    with pytest.raises(CollectionMissing):
        staff.collections.get("staff")
    with pytest.raises(CollectionMissing):
        staff.collections.delete("staff")
    again = staff.collections.create("staff", MODEL, CALIBRATION)
    assert (again.faces, again.users) == (0, 0)
    assert staff.faces.search("staff", probe(vectors(2)[1]), 5) == ()
    assert staff.users.search("staff", probe(vectors(2)[0]), 5) == ()
    assert staff.faces.list("staff", 5, face_ids=[other.face_id]).items == ()
    assert staff.users.create("staff", "ann", token="once").faces == 0
    assert staff.collections.get("staff").users == 1


def test_collections_know_nothing_of_each_other(staff: DatabaseStore) -> None:
    staff.collections.create("guests", MODEL, CALIBRATION)
    shape = new_face(vectors(1)[0])
    (one,) = staff.faces.add("staff", MODEL, [shape])
    (two,) = staff.faces.add("guests", MODEL, [shape])
    assert one.face_id != two.face_id
    staff.users.create("staff", "ann")
    staff.users.create("guests", "ann")
    staff.users.associate("staff", "ann", [one.face_id])
    assert [match.face.face_id for match in staff.faces.search("guests", probe(vectors(1)[0]), 9)] == [two.face_id]
    assert staff.users.search("guests", probe(vectors(1)[0]), 9) == ()
    assert staff.faces.delete("guests", [one.face_id]).done == ()
    staff.collections.delete("guests")
    assert [match.face.face_id for match in staff.faces.search("staff", probe(vectors(1)[0]), 9)] == [one.face_id]


def test_tags_are_added_replaced_and_removed(staff: DatabaseStore) -> None:
    staff.collections.tag("staff", {"a": "1", "b": ""})
    staff.collections.tag("staff", {"b": "2", "c": "3"})
    assert staff.collections.get("staff").tags == {"a": "1", "b": "2", "c": "3"}
    staff.collections.untag("staff", ["a", "never"])
    assert staff.collections.get("staff").tags == {"b": "2", "c": "3"}
    with pytest.raises(TooManyTags):
        staff.collections.tag("staff", {"d": "4", "e": "5"}, limit=3)
    staff.collections.tag("staff", {"b": "6", "d": "4"}, limit=3)
    assert staff.collections.get("staff").tags == {"b": "6", "c": "3", "d": "4"}


def test_a_calibration_is_kept_whole(staff: DatabaseStore) -> None:
    calibration = Calibration(0.55, 41.5, "120 pairs", 0.001, (0.0002, 0.003), 120)
    staff.collections.calibrate("staff", calibration)
    assert staff.collections.get("staff").calibration == calibration


def test_what_was_answered_is_there_after_opening_again(url: str) -> None:
    first = open_store(url)
    first.collections.create("staff", MODEL, CALIBRATION)
    faces = first.faces.add("staff", MODEL, new_faces(vectors(3)))
    first.close()
    with pytest.raises(StoreUnavailable):
        first.collections.get("staff")
    second = open_store(url)
    assert second.faces.list("staff", 9).items == faces
    assert [match.face for match in second.faces.search("staff", probe(vectors(3)[2]), 1)] == [faces[2]]
    second.close()


def test_lengths_of_vectors_differ_between_collections(store: DatabaseStore) -> None:
    for length in (1, 2, 3, 128, 512, 2100):
        model = replace(MODEL, dimension=length)
        store.collections.create(f"c{length}", model, CALIBRATION)
        found = vectors(4, length, length)
        faces = store.faces.add(f"c{length}", model, new_faces(found))
        (match,) = store.faces.search(f"c{length}", replace(probe(found[1]), model=model), 1)
        assert (match.face.face_id in {face.face_id for face in faces}, match.distance) == (True, 0.0)
        assert (store.faces.embedding(f"c{length}", faces[2].face_id).vector == found[2]).all()
