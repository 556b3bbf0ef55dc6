"""The matrix beside the table: exact, and never believed where it differs from the table."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.collections.database import Vectors
from sightline.collections.index import Batches, Matrices, Matrix, State, hashes
from sightline.collections.open import open_store
from sightline.errors import StoreUnavailable
from tests.unit.collections.people import CALIBRATION, MODEL, new_faces, probe, vectors


class FakeLock:
    """One holder; says whether it is held."""

    def __init__(self) -> None:
        self.inner = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.inner:
            yield


class FakeSource:
    """A table in memory; remembers what was asked for."""

    def __init__(self, found: Vectors) -> None:
        self.rows = dict(enumerate(found, 1))
        self.last = len(found)
        self.asked: list[int] = []

    def state(self) -> State:
        if not self.rows:
            return State(self.last, 0)
        return State(self.last).plus(list(self.rows), np.stack(list(self.rows.values())))

    @contextmanager
    def since(self, number: int) -> Iterator[tuple[State, Batches]]:
        self.asked.append(number)
        later = sorted(key for key in self.rows if key > number)
        yield self.state(), iter([(part, np.stack([self.rows[key] for key in part])) for part in _parts(later)])

    def add(self, found: Vectors) -> None:
        for vector in found:
            self.last += 1
            self.rows[self.last] = vector


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + 7] for start in range(0, len(numbers), 7)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "x.matrix"


def brute(source: FakeSource, query: np.ndarray, limit: int, within: float) -> list[tuple[int, float]]:
    distances = [(float(np.linalg.norm(v.astype(np.float64) - query)), n) for n, v in source.rows.items()]
    return [(number, distance) for distance, number in sorted(distances) if distance <= within][:limit]


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 200),
    dimension=st.integers(1, 40),
    limit=st.integers(1, 250),
    scale=st.sampled_from([1e-3, 1.0, 1.4, 300.0]),
    equal=st.booleans(),
    within=st.sampled_from([0.0, 0.3, 1.0, 1.3, 500.0, math.inf]),
)
def test_search_is_exact(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    dimension: int,
    limit: int,
    scale: float,
    equal: bool,
    within: float,
) -> None:
    found = vectors(max(count, 1), seed, dimension)[:count] * np.float32(scale)
    if equal and count > 3:
        found[count // 2 :] = found[0]
    source = FakeSource(found)
    query = found[0] if equal and count else vectors(1, seed + 1, dimension)[0] * np.float32(scale)
    matrix = Matrix(tmp_path_factory.mktemp("m") / "x.matrix", dimension, FakeLock())
    result = matrix.search(source, query, limit, within)
    truth = brute(source, query, limit, within)
    assert [number for number, _ in result] == [number for number, _ in truth]
    np.testing.assert_allclose([d for _, d in result], [d for _, d in truth], rtol=1e-9, atol=1e-12)


def test_vectors_nearer_to_each_other_than_float32_can_tell_are_still_in_order(path: Path) -> None:
    centre = vectors(1)[0]
    found = (centre + np.random.default_rng(1).normal(0, 1e-4, (3000, 16))).astype(np.float32)
    source, matrix = FakeSource(found), Matrix(path, 16, FakeLock())
    query = (centre + np.float32(1e-4)).astype(np.float32)
    for limit in (1, 5, 50):
        numbers = [number for number, _ in matrix.search(source, query, limit)]
        assert numbers == [number for number, _ in brute(source, query, limit, math.inf)]


def test_only_what_is_new_is_read(path: Path) -> None:
    source, matrix = FakeSource(vectors(20)), Matrix(path, 16, FakeLock())
    matrix.search(source, vectors(1)[0], 1)
    matrix.search(source, vectors(1)[0], 1)
    source.add(vectors(3, 1))
    assert matrix.search(source, vectors(3, 1)[2], 1) == [(23, 0.0)]
    matrix.search(source, vectors(1)[0], 1)
    assert source.asked == [0, 20]


def test_a_second_matrix_on_the_file_sees_what_the_first_wrote(path: Path) -> None:
    source, lock = FakeSource(vectors(20)), FakeLock()
    one, two = Matrix(path, 16, lock), Matrix(path, 16, lock)
    for round_ in range(40):
        writer, reader = (one, two) if round_ % 2 else (two, one)
        source.add(vectors(30, round_ + 1))
        assert writer.search(source, vectors(30, round_ + 1)[29], 1) == [(source.last, 0.0)]
        assert reader.search(source, vectors(30, round_ + 1)[0], 1) == [(source.last - 29, 0.0)]
    assert source.asked[0] == 0
    assert source.asked.count(0) == 1


def test_wiped_vectors_are_gone_and_the_rest_is_kept(path: Path) -> None:
    found = vectors(20)
    source, matrix = FakeSource(found), Matrix(path, 16, FakeLock())
    matrix.search(source, found[0], 1)
    for number in (1, 20, 10):
        del source.rows[number]
    matrix.wipe([1, 20, 10, 999])
    data = path.read_bytes()
    assert [number for number in range(1, 21) if found[number - 1].tobytes() in data] == list(source.rows)
    assert sorted(number for number, _ in matrix.search(source, found[0], 99)) == sorted(source.rows)
    assert source.asked == [0]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" * 5000),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
        lambda path: path.write_bytes(path.read_bytes()[:20] + b"\xff" + path.read_bytes()[21:]),
        lambda path: shutil.rmtree(path.parent),
    ],
)
def test_a_file_that_is_lost_or_damaged_is_made_anew(path: Path, harm: object) -> None:
    source, lock = FakeSource(vectors(20)), FakeLock()
    Matrix(path, 16, lock).search(source, vectors(1)[0], 1)
    harm(path)  # type: ignore[operator]
    assert Matrix(path, 16, lock).search(source, vectors(20)[7], 1) == [(8, 0.0)]
    assert Matrix(path, 16, lock).search(source, vectors(20)[19], 1) == [(20, 0.0)]


def test_a_table_that_went_back_in_time_is_noticed(path: Path) -> None:
    """A restored copy gives the same numbers to other vectors."""
    source, lock = FakeSource(vectors(20)), FakeLock()
    matrix = Matrix(path, 16, lock)
    matrix.search(source, vectors(1)[0], 1)
    restored = FakeSource(vectors(15))
    restored.add(vectors(5, 77))
    assert restored.state().last == source.state().last
    for used in (matrix, Matrix(path, 16, lock)):
        assert used.search(restored, vectors(5, 77)[4], 1) == [(20, 0.0)]
        assert used.search(restored, vectors(20)[18], 1)[0][1] > 0.1
    shorter = FakeSource(vectors(3))
    assert len(matrix.search(shorter, vectors(1)[0], 99)) == 3


def test_a_file_of_many_wiped_records_is_made_smaller(path: Path) -> None:
    source, matrix = FakeSource(vectors(10_000, dimension=4)), Matrix(path, 4, FakeLock())
    matrix.search(source, vectors(1, dimension=4)[0], 1)
    size = path.stat().st_size
    gone = list(range(1, 9_001))
    for number in gone:
        del source.rows[number]
    matrix.wipe(gone)
    source.add(vectors(1, 5, 4))
    assert matrix.search(source, vectors(1, 5, 4)[0], 1) == [(10_001, 0.0)]
    assert path.stat().st_size < size / 5
    assert len(matrix.search(source, vectors(1, dimension=4)[0], 9999)) == 1001


def test_equal_sets_have_equal_sums_and_others_have_not() -> None:
    found = vectors(5)
    total = hashes([1, 2, 3], found[:3])
    assert total == hashes([3, 1, 2], found[[2, 0, 1]])
    assert total != hashes([1, 2, 4], found[:3])
    assert total != hashes([1, 2, 3], found[1:4])
    assert State().plus([1, 2, 3], found[:3]).minus([2], found[1:2]).sum == State().plus([1, 3], found[[0, 2]]).sum


def test_a_store_keeps_the_matrices_it_used_last(tmp_path: Path) -> None:
    matrices = Matrices(tmp_path, FakeLock(), keep=2)
    first, second = matrices.of("a", 4), matrices.of("b", 4)
    assert matrices.of("a", 4) is first
    matrices.of("c", 4)
    assert matrices.of("a", 4) is first
    assert matrices.of("b", 4) is not second


def test_a_disk_that_fails_is_said_and_does_no_harm(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path / 'faces.db'}")
    store.collections.create("staff", MODEL, CALIBRATION)
    found = vectors(5)
    store.faces.add("staff", MODEL, new_faces(found))
    (tmp_path / "faces.db-vectors").write_bytes(b"a file where a folder should be")
    with pytest.raises(StoreUnavailable):
        store.faces.search("staff", probe(found[0]), 1)
    (tmp_path / "faces.db-vectors").unlink()
    assert store.faces.search("staff", probe(found[0]), 1)[0].distance == 0.0
    store.close()
