"""Users: people made of faces, found by the mean of their vectors, changed at most once by one request."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sightline.collections.base import USER_FACES, Outcome, Reason, Refused, UserStatus
from sightline.collections.open import DatabaseStore
from sightline.errors import InvalidOption, InvalidPage, RequestReused, UserExists, UserFull, UserMissing
from tests.unit.collections.people import CALIBRATION, MODEL, new_faces, probe, vectors


def add(store: DatabaseStore, found: np.ndarray) -> list[str]:
    return [face.face_id for face in store.faces.add("staff", MODEL, new_faces(found))]


def test_a_user_becomes_active_with_the_first_face_and_created_without(staff: DatabaseStore) -> None:
    one, two = add(staff, vectors(2))
    user = staff.users.create("staff", "ann")
    assert (user.user_id, user.status, user.faces) == ("ann", UserStatus.CREATED, 0)
    assert staff.users.get("staff", "ann") == user
    assert staff.users.embedding("staff", "ann") is None
    assert staff.users.associate("staff", "ann", [one, two]) == Outcome((one, two), (), UserStatus.ACTIVE)
    assert (staff.users.get("staff", "ann").status, staff.users.get("staff", "ann").faces) == (UserStatus.ACTIVE, 2)
    assert staff.faces.get("staff", one).user_id == "ann"
    assert staff.users.disassociate("staff", "ann", [one]) == Outcome((one,), (), UserStatus.ACTIVE)
    assert staff.users.disassociate("staff", "ann", [two]) == Outcome((two,), (), UserStatus.CREATED)
    assert staff.users.embedding("staff", "ann") is None
    assert staff.users.search("staff", probe(vectors(1)[0]), 9) == ()
    assert staff.faces.get("staff", one).user_id is None


def test_a_users_vector_is_the_mean_of_its_faces(staff: DatabaseStore) -> None:
    found = vectors(6)
    ids = add(staff, found)
    staff.users.create("staff", "ann")
    for chosen in ([0], [0, 3], [0, 3, 5]):
        staff.users.associate("staff", "ann", [ids[index] for index in chosen])
        mean = found[chosen].mean(axis=0)
        embedding = staff.users.embedding("staff", "ann")
        assert embedding is not None
        np.testing.assert_allclose(embedding.vector, mean, rtol=1e-6, atol=1e-7)
        (match,) = staff.users.search("staff", probe(found[1]), 5)
        assert match.distance == pytest.approx(float(np.linalg.norm(mean - found[1])), rel=1e-5)
        assert (match.user.user_id, match.user.faces) == ("ann", len(chosen))
    staff.users.disassociate("staff", "ann", [ids[0]])
    (match,) = staff.users.search("staff", probe(found[1]), 5)
    assert match.distance == pytest.approx(float(np.linalg.norm(found[[3, 5]].mean(axis=0) - found[1])), rel=1e-5)


def test_a_mean_of_more_faces_is_no_nearer_for_it(staff: DatabaseStore) -> None:
    """With the variance among faces known, a stranger is as far from a user of many faces as from one of one."""
    chance = np.random.default_rng(4)
    centre, stranger = vectors(2, 1, MODEL.dimension).astype(np.float64)
    variance = 0.5
    noise = chance.normal(0, math.sqrt(variance / MODEL.dimension), (101, MODEL.dimension))
    ids = add(staff, (centre + noise).astype(np.float32))
    staff.users.create("staff", "many")
    staff.users.associate("staff", "many", ids[:100])
    before = staff.users.search("staff", probe(stranger.astype(np.float32)), 1)[0].distance
    mean = staff.users.embedding("staff", "many")
    assert mean is not None
    faces = [staff.faces.embedding("staff", face_id).vector for face_id in ids[:100]]
    alone = math.sqrt(np.mean([np.square(face - stranger).sum() for face in faces]))
    assert before < alone - 0.1
    staff.collections.calibrate("staff", replace(CALIBRATION, spread=variance))
    (match,) = staff.users.search("staff", probe(stranger.astype(np.float32)), 1)
    assert match.distance == pytest.approx(math.sqrt(before**2 + variance * 0.99), rel=1e-5)
    assert match.distance == pytest.approx(alone, abs=0.02)
    again = staff.users.embedding("staff", "many")
    assert again is not None
    assert again.vector.tolist() == mean.vector.tolist()
    # The same measure decides what may be associated.
    staff.users.disassociate("staff", "many", ids[90:100])
    distance = staff.users.search("staff", staff.faces.embedding("staff", ids[100]), 1)[0].distance
    refused = staff.users.associate("staff", "many", [ids[100]], within=distance * 0.999).refused
    assert refused[0].distance == pytest.approx(distance, rel=1e-5)
    assert staff.users.associate("staff", "many", [ids[100]], within=distance * 1.001).done == (ids[100],)


def test_a_user_of_one_face_is_as_near_as_the_face(staff: DatabaseStore) -> None:
    staff.collections.calibrate("staff", replace(CALIBRATION, spread=0.3))
    found = vectors(2)
    (one,) = add(staff, found[:1])
    staff.users.create("staff", "ann")
    staff.users.associate("staff", "ann", [one])
    (match,) = staff.users.search("staff", probe(found[1]), 1)
    (face,) = staff.faces.search("staff", probe(found[1]), 1)
    assert match.distance == pytest.approx(face.distance, rel=1e-6)


def test_users_are_searched_as_faces_are(staff: DatabaseStore) -> None:
    found = vectors(12)
    ids = add(staff, found)
    for index, face_id in enumerate(ids):
        staff.users.create("staff", f"u{index}")
        staff.users.associate("staff", f"u{index}", [face_id])
    query = vectors(1, 5)[0]
    truth = np.linalg.norm(found.astype(np.float64) - query, axis=1)
    order = np.argsort(truth)
    matches = staff.users.search("staff", probe(query), 5)
    assert [match.user.user_id for match in matches] == [f"u{index}" for index in order[:5]]
    within = float((truth[order[3]] + truth[order[4]]) / 2)
    assert len(staff.users.search("staff", probe(query), 12, within=within)) == 4
    own = staff.users.embedding("staff", "u4")
    assert own is not None
    assert staff.users.search("staff", own, 1)[0].user.user_id == "u4"
    assert "u4" not in [match.user.user_id for match in staff.users.search("staff", own, 12, besides="u4")]
    assert len(staff.users.search("staff", own, 11, besides="u4")) == 11
    with pytest.raises(InvalidOption):
        staff.users.search("staff", own, 0)


def test_a_name_is_given_once_a_collection(staff: DatabaseStore) -> None:
    staff.users.create("staff", "ann")
    with pytest.raises(UserExists):
        staff.users.create("staff", "ann")
    assert staff.collections.get("staff").users == 1


def test_a_missing_user_is_missing_everywhere(staff: DatabaseStore) -> None:
    (face,) = add(staff, vectors(1))
    for call in (
        lambda: staff.users.get("staff", "ann"),
        lambda: staff.users.embedding("staff", "ann"),
        lambda: staff.users.delete("staff", "ann"),
        lambda: staff.users.associate("staff", "ann", [face]),
        lambda: staff.users.disassociate("staff", "ann", [face]),
    ):
        with pytest.raises(UserMissing):
            call()


def test_association_says_what_became_of_each_face(staff: DatabaseStore) -> None:
    near, far, others, own, _ = ids = add(staff, np.stack([*vectors(4), vectors(1, 77)[0]]))
    for name in ("ann", "bob"):
        staff.users.create("staff", name)
    staff.users.associate("staff", "bob", [others])
    assert staff.users.associate("staff", "ann", [own], within=0.0).done == (own,), "the first face needs no likeness"
    mean = staff.users.embedding("staff", "ann")
    assert mean is not None
    distances = {
        face_id: np.linalg.norm(staff.faces.embedding("staff", face_id).vector - mean.vector) for face_id in ids
    }
    if distances[near] > distances[far]:
        near, far = far, near
    within = float(distances[near] + distances[far]) / 2
    outcome = staff.users.associate("staff", "ann", [far, "nobody", own, others, near, near], within=within)
    assert outcome.done == (near,)
    assert outcome.status == UserStatus.ACTIVE
    low, missing, different = outcome.refused
    assert (low.face_id, low.reason, low.user_id) == (far, Reason.LOW_MATCH_CONFIDENCE, None)
    assert low.distance == pytest.approx(float(distances[far]), rel=1e-6)
    assert missing == Refused("nobody", Reason.FACE_NOT_FOUND)
    assert different == Refused(others, Reason.ASSOCIATED_TO_A_DIFFERENT_USER, "bob")
    assert staff.users.associate("staff", "ann", [far], within=math.inf).done == (far,)


def test_disassociation_says_what_became_of_each_face(staff: DatabaseStore) -> None:
    own, others, nobodys = add(staff, vectors(3))
    for name, face_id in (("ann", own), ("bob", others)):
        staff.users.create("staff", name)
        staff.users.associate("staff", name, [face_id])
    outcome = staff.users.disassociate("staff", "ann", [others, nobodys, "nobody", own, own])
    assert outcome == Outcome(
        (own,),
        (Refused(others, Reason.ASSOCIATED_TO_A_DIFFERENT_USER, "bob"), Refused("nobody", Reason.FACE_NOT_FOUND)),
        UserStatus.CREATED,
    )
    assert staff.users.get("staff", "bob").faces == 1


def test_a_user_has_a_hundred_faces_at_most(staff: DatabaseStore) -> None:
    ids = add(staff, vectors(USER_FACES + 3))
    staff.users.create("staff", "ann")
    staff.users.associate("staff", "ann", ids[:60])
    outcome = staff.users.associate("staff", "ann", ids[60:])
    assert outcome.done == tuple(ids[60:USER_FACES])
    assert outcome.refused == tuple(Refused(face_id, Reason.USER_IS_FULL) for face_id in ids[USER_FACES:])
    with pytest.raises(UserFull):
        staff.users.associate("staff", "ann", [ids[-1]])
    staff.users.disassociate("staff", "ann", [ids[0]])
    assert staff.users.associate("staff", "ann", [ids[-1]]).done == (ids[-1],)


def test_deleting_a_user_frees_the_faces_and_the_name(staff: DatabaseStore) -> None:
    one, two = add(staff, vectors(2))
    staff.users.create("staff", "ann")
    staff.users.associate("staff", "ann", [one, two])
    staff.users.delete("staff", "ann")
    assert staff.collections.get("staff").users == 0
    assert staff.users.search("staff", probe(vectors(1)[0]), 9) == ()
    assert [face.user_id for face in staff.faces.list("staff", 9).items] == [None, None]
    assert staff.faces.delete("staff", [one]).done == (one,)
    staff.users.create("staff", "ann")
    assert staff.users.associate("staff", "ann", [two]).done == (two,)


def test_pages_of_users(staff: DatabaseStore) -> None:
    names = [f"u{(number * 5) % 7}" for number in range(7)]
    for name in names:
        staff.users.create("staff", name)
    first = staff.users.list("staff", 3)
    second = staff.users.list("staff", 3, first.next)
    third = staff.users.list("staff", 3, second.next)
    assert [user.user_id for user in (*first.items, *second.items, *third.items)] == names
    assert third.next is None
    with pytest.raises(InvalidPage):
        staff.users.list("staff", 3, "nonsense")


def test_a_request_that_comes_again_changes_nothing_and_gets_the_first_answer(staff: DatabaseStore) -> None:
    one, two = add(staff, vectors(2))
    made = staff.users.create("staff", "ann", token="t1")
    assert staff.users.create("staff", "ann", token="t1") == made
    first = staff.users.associate("staff", "ann", [one, "nobody"], within=9.0, token="t1")
    assert (first.done, len(first.refused)) == ((one,), 1)
    assert staff.users.associate("staff", "ann", [one, "nobody"], within=9.0, token="t1") == first
    assert staff.users.associate("staff", "ann", [one, "nobody"], within=9.0, token="t2").done == ()
    gone = staff.users.disassociate("staff", "ann", [one], token="t1")
    assert staff.users.disassociate("staff", "ann", [one], token="t1") == gone
    staff.users.delete("staff", "ann", token="t1")
    staff.users.delete("staff", "ann", token="t1")
    with pytest.raises(UserMissing):
        staff.users.delete("staff", "ann", token="t2")
    for again in (
        lambda: staff.users.create("staff", "bob", token="t1"),
        lambda: staff.users.associate("staff", "ann", [two], within=9.0, token="t1"),
        lambda: staff.users.associate("staff", "ann", [one, "nobody"], within=8.0, token="t1"),
        lambda: staff.users.disassociate("staff", "ann", [two], token="t1"),
        lambda: staff.users.delete("staff", "bob", token="t1"),
    ):
        with pytest.raises(RequestReused):
            again()


def test_a_request_that_failed_may_come_again(staff: DatabaseStore) -> None:
    with pytest.raises(UserMissing):
        staff.users.delete("staff", "ann", token="t")
    staff.users.create("staff", "ann")
    staff.users.delete("staff", "ann", token="t")
    assert staff.users.list("staff", 9).items == ()


def test_a_token_is_remembered_for_a_day(staff: DatabaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    staff.users.create("staff", "ann", token="t")
    import time

    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 23 * 3600)
    staff.users.create("staff", "ann", token="t")
    monkeypatch.setattr(time, "time", lambda: real + 25 * 3600)
    with pytest.raises(UserExists):
        staff.users.create("staff", "ann", token="t")
