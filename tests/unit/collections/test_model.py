"""Whatever is asked, in whatever order, a store answers as a plain dictionary would."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sightline.collections.base import Outcome, Reason, Refused, UserStatus
from sightline.collections.open import DatabaseStore, open_store
from sightline.errors import FaceMissing, UserExists, UserMissing
from tests.unit.collections.people import CALIBRATION, MODEL, new_faces, probe

_names = itertools.count()
USERS = ("ann", "bob", "eve")
GRID = st.integers(0, 3)


def vector(cell: int) -> np.ndarray:
    """One of few, so that equal vectors and equal distances happen."""
    made = np.zeros(MODEL.dimension, np.float32)
    made[cell] = 1 + cell / 4
    return made


class Machine(RuleBasedStateMachine):
    store: DatabaseStore

    @initialize()
    def begin(self) -> None:
        self.name = f"c{next(_names)}"
        self.store.collections.create(self.name, MODEL, CALIBRATION)
        self.faces: dict[str, np.ndarray] = {}
        self.owner: dict[str, str] = {}
        self.users: list[str] = []

    def some(self, picks: list[int]) -> list[str]:
        """Ids that are there, and one that never was."""
        ids = [*self.faces, "nobody"]
        return [ids[pick % len(ids)] for pick in picks]

    def mean(self, user: str) -> np.ndarray:
        return np.mean([self.faces[face] for face, owner in self.owner.items() if owner == user], axis=0)

    @rule(cells=st.lists(GRID, max_size=5))
    def add(self, cells: list[int]) -> None:
        found = [vector(cell) for cell in cells]
        for face, own in zip(self.store.faces.add(self.name, MODEL, new_faces(np.array(found))), found, strict=True):
            assert face.face_id not in self.faces
            self.faces[face.face_id] = own

    @rule(picks=st.lists(st.integers(0, 99), min_size=1, max_size=4))
    def delete(self, picks: list[int]) -> None:
        done, refused = [], []
        for face in dict.fromkeys(self.some(picks)):
            if face not in self.faces:
                refused.append(Refused(face, Reason.FACE_NOT_FOUND))
            elif face in self.owner:
                refused.append(Refused(face, Reason.ASSOCIATED_TO_AN_EXISTING_USER, self.owner[face]))
            else:
                done.append(face)
        assert self.store.faces.delete(self.name, self.some(picks)) == Outcome(tuple(done), tuple(refused))
        for face in done:
            del self.faces[face]

    @rule(user=st.sampled_from(USERS))
    def create_user(self, user: str) -> None:
        if user in self.users:
            with pytest.raises(UserExists):
                self.store.users.create(self.name, user)
        else:
            self.store.users.create(self.name, user)
            self.users.append(user)

    @precondition(lambda self: self.users)
    @rule(user=st.sampled_from(USERS))
    def delete_user(self, user: str) -> None:
        if user not in self.users:
            with pytest.raises(UserMissing):
                self.store.users.delete(self.name, user)
            return
        self.store.users.delete(self.name, user)
        self.users.remove(user)
        self.owner = {face: owner for face, owner in self.owner.items() if owner != user}

    @precondition(lambda self: self.users and self.faces)
    @rule(user=st.sampled_from(USERS), picks=st.lists(st.integers(0, 99), min_size=1, max_size=4), near=st.booleans())
    def associate(self, user: str, picks: list[int], near: bool) -> None:
        asked, within = self.some(picks), 0.9 if near else math.inf
        if user not in self.users:
            with pytest.raises(UserMissing):
                self.store.users.associate(self.name, user, asked, within=within)
            return
        mean = self.mean(user) if user in self.owner.values() else None
        done, refused = [], []
        for face in dict.fromkeys(asked):
            if face not in self.faces:
                refused.append((face, Reason.FACE_NOT_FOUND, None))
            elif self.owner.get(face, user) != user:
                refused.append((face, Reason.ASSOCIATED_TO_A_DIFFERENT_USER, self.owner[face]))
            elif face in self.owner:
                continue
            elif mean is not None and np.linalg.norm(self.faces[face] - mean) > within:
                refused.append((face, Reason.LOW_MATCH_CONFIDENCE, None))
            else:
                done.append(face)
        outcome = self.store.users.associate(self.name, user, asked, within=within)
        assert outcome.done == tuple(done)
        assert [(item.face_id, item.reason, item.user_id) for item in outcome.refused] == refused
        self.owner |= dict.fromkeys(done, user)
        active = user in self.owner.values()
        assert outcome.status == (UserStatus.ACTIVE if active else UserStatus.CREATED)

    @precondition(lambda self: self.owner)
    @rule(user=st.sampled_from(USERS), picks=st.lists(st.integers(0, 99), min_size=1, max_size=4))
    def disassociate(self, user: str, picks: list[int]) -> None:
        asked = self.some(picks)
        if user not in self.users:
            with pytest.raises(UserMissing):
                self.store.users.disassociate(self.name, user, asked)
            return
        outcome = self.store.users.disassociate(self.name, user, asked)
        own = tuple(face for face in dict.fromkeys(asked) if self.owner.get(face) == user)
        assert outcome.done == own
        for face in own:
            del self.owner[face]

    @rule(cell=GRID, limit=st.integers(1, 9), within=st.sampled_from([0.0, 0.5, 1.6, math.inf]))
    def search_faces(self, cell: int, limit: int, within: float) -> None:
        truth = sorted(float(np.linalg.norm(own - vector(cell))) for own in self.faces.values())
        matches = self.store.faces.search(self.name, probe(vector(cell)), limit, within=within)
        wanted = [distance for distance in truth if distance <= within][:limit]
        np.testing.assert_allclose([match.distance for match in matches], wanted, rtol=1e-5)
        for match in matches:
            own = self.faces[match.face.face_id]
            assert match.distance == pytest.approx(float(np.linalg.norm(own - vector(cell))), rel=1e-5)
            assert match.face.user_id == self.owner.get(match.face.face_id)

    @rule(cell=GRID, limit=st.integers(1, 4))
    def search_users(self, cell: int, limit: int) -> None:
        active = dict.fromkeys(self.owner.values())
        truth = sorted(float(np.linalg.norm(self.mean(user) - vector(cell))) for user in active)
        matches = self.store.users.search(self.name, probe(vector(cell)), limit)
        np.testing.assert_allclose([match.distance for match in matches], truth[:limit], rtol=1e-5, atol=1e-6)
        assert {match.user.user_id for match in matches} <= set(active)

    @rule(pick=st.integers(0, 99))
    def get(self, pick: int) -> None:
        (face,) = self.some([pick])
        if face in self.faces:
            assert self.store.faces.get(self.name, face).user_id == self.owner.get(face)
            assert (self.store.faces.embedding(self.name, face).vector == self.faces[face]).all()
        else:
            with pytest.raises(FaceMissing):
                self.store.faces.get(self.name, face)

    @invariant()
    def counts_and_lists_agree(self) -> None:
        if not hasattr(self, "name"):
            return
        collection = self.store.collections.get(self.name)
        assert (collection.faces, collection.users) == (len(self.faces), len(self.users))
        assert [face.face_id for face in self.store.faces.list(self.name, 999).items] == list(self.faces)
        assert [user.user_id for user in self.store.users.list(self.name, 999).items] == self.users
        counted = [user.faces for user in self.store.users.list(self.name, 999).items]
        assert counted == [list(self.owner.values()).count(user) for user in self.users]


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseStore]:
    if request.param == "sqlite":
        address = f"sqlite:{tmp_path_factory.mktemp('model') / 'faces.db'}"
    else:
        database: Callable[[], str] = request.getfixturevalue("postgres")
        address = database()
    opened = open_store(address)
    yield opened
    opened.close()


def test_a_store_is_a_dictionary(shared_store: DatabaseStore, request: pytest.FixtureRequest) -> None:
    # Every step is some twenty round trips to PostgreSQL.
    examples = 6 if "postgres" in request.node.name else 25

    class Bound(Machine):
        store = shared_store

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
