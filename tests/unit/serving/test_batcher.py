"""Batches that several threads share."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from sightline.engines.base import Array, Tensor
from sightline.errors import Cancelled, EngineError, TimedOut
from sightline.serving.batcher import Batcher, can_batch
from sightline.serving.ticket import CURRENT, Ticket

FLOAT = np.dtype(np.float32)


class Doubler:
    """Twice its input; a row that holds 13 breaks the run. Notes the size of each run, and how many overlap."""

    inputs = (Tensor("x", (None, None), FLOAT),)
    outputs = (Tensor("y", (None, None), FLOAT),)

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = self.most = 0
        self.lock = threading.Lock()

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            assert self.gate.wait(20)
            (x,) = arrays
            self.runs.append(len(x))
            if (x == 13).any():
                raise EngineError("thirteen")
            return (x * 2,)
        finally:
            with self.lock:
                self.at_once -= 1


def rows(*values: float, width: int = 2) -> Array:
    return np.repeat(np.array(values, np.float32)[:, None], width, axis=1)


def waiting(batcher: Batcher, count: int) -> None:
    """Until so many callers wait in the queue."""
    until = time.monotonic() + 20
    while len(batcher._queue) < count:
        assert time.monotonic() < until
        time.sleep(0.001)


def together(batcher: Batcher, engine: Doubler, items: list[Array]) -> list[Any]:
    """What each of `items` gets when all wait while another run is going on."""
    engine.gate.clear()

    def ask(item: Array) -> Any:
        try:
            return batcher.run(item)[0]
        except EngineError as error:
            return error

    with ThreadPoolExecutor(len(items) + 1) as pool:
        first = pool.submit(ask, rows(0))
        until = time.monotonic() + 20
        while not engine.at_once:
            assert time.monotonic() < until
        asked = []
        for count, item in enumerate(items, 1):
            asked.append(pool.submit(ask, item))
            waiting(batcher, count)
        engine.gate.set()
        first.result(20)
        return [future.result(20) for future in asked]


def test_one_caller_runs_at_once() -> None:
    engine = Doubler()
    assert (Batcher(engine, size=8).run(rows(1, 2))[0] == rows(2, 4)).all()
    assert engine.runs == [2]


def test_what_waits_is_run_together_and_each_gets_its_own() -> None:
    engine = Doubler()
    seen: list[int] = []
    found = together(Batcher(engine, size=8, watch=seen.append), engine, [rows(1), rows(2, 3), rows(4)])
    assert [result.tolist() for result in found] == [rows(2).tolist(), rows(4, 6).tolist(), rows(8).tolist()]
    assert engine.runs == seen == [1, 4]


def test_no_batch_is_larger_than_its_size() -> None:
    engine = Doubler()
    found = together(Batcher(engine, size=3), engine, [rows(n) for n in range(7)])
    assert [result[0, 0] for result in found] == [2 * n for n in range(7)]
    assert max(engine.runs) <= 3
    assert len(engine.runs) == 1 + 3


def test_many_rows_of_one_caller_are_run_in_parts() -> None:
    engine = Doubler()
    (found,) = Batcher(engine, size=4).run(rows(*range(10)))
    assert (found == rows(*range(0, 20, 2))).all()
    assert engine.runs == [4, 4, 2]


def test_rows_of_other_shapes_are_run_apart() -> None:
    engine = Doubler()
    found = together(Batcher(engine, size=8), engine, [rows(1), rows(2, width=5), rows(3)])
    assert [result.shape for result in found] == [(1, 2), (1, 5), (1, 2)]
    assert sorted(engine.runs) == [1, 1, 2]


@pytest.mark.parametrize("bad", range(8))
def test_a_bad_row_fails_alone(bad: int) -> None:
    engine = Doubler()
    items = [rows(13 if n == bad else n) for n in range(8)]
    found = together(Batcher(engine, size=8), engine, items)
    for n, result in enumerate(found):
        if n == bad:
            assert isinstance(result, EngineError)
        else:
            assert (result == rows(2 * n)).all()


def test_two_sessions_run_at_once_and_no_more() -> None:
    engine = Doubler()
    batcher = Batcher(engine, size=1, sessions=2)
    engine.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(batcher.run, rows(n)) for n in range(6)]
        waiting(batcher, 4)
        time.sleep(0.05)
        engine.gate.set()
        assert sorted(future.result(20)[0][0, 0] for future in asked) == [0, 2, 4, 6, 8, 10]
    assert engine.most == 2


@pytest.mark.parametrize(("ticket", "error"), [(Ticket(0.0), TimedOut), (Ticket(), Cancelled)])
def test_what_nobody_waits_for_is_not_run(ticket: Ticket, error: type[Exception]) -> None:
    engine = Doubler()
    batcher = Batcher(engine, size=8)
    if error is Cancelled:
        ticket.cancel()

    def ask() -> None:
        CURRENT.set(ticket)
        with pytest.raises(error):
            batcher.run(rows(1))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    assert engine.runs == []
    assert (batcher.run(rows(1))[0] == rows(2)).all()  # and the next one is answered


def test_a_leader_waits_for_more_only_in_a_crowd() -> None:
    engine = Doubler()
    batcher = Batcher(engine, size=2, wait=20)
    with ThreadPoolExecutor(2) as pool:
        assert len([pool.submit(batcher.run, rows(n)).result for n in range(2)]) == 2
    assert engine.runs == [2]
    lonely = Batcher(engine, size=2, wait=20, crowded=lambda: False)
    lonely.run(rows(1))
    assert engine.runs == [2, 1]


def test_hammered_by_threads_every_row_comes_back_to_its_caller() -> None:
    engine = Doubler()
    batcher = Batcher(engine, size=5, sessions=2, wait=0.0005)

    def client(seed: int) -> int:
        random = np.random.default_rng(seed)
        for _ in range(60):
            values = random.integers(14, 10_000, int(random.integers(1, 9)))
            (found,) = batcher.run(rows(*values))
            assert (found[:, 0] == 2 * values).all()
        return 1

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(client, range(12), timeout=60)) == 12
    assert engine.most <= 2
    assert len(batcher._queue) == 0
    assert batcher._running == 0


def test_only_engines_with_free_rows_are_batched() -> None:
    class Fixed(Doubler):
        inputs = (Tensor("x", (1, None), FLOAT),)

    assert can_batch(Doubler())
    assert not can_batch(Fixed())
    with pytest.raises(EngineError):
        Batcher(Fixed(), size=2)
    with pytest.raises(EngineError):
        Batcher(Doubler(), size=2).run(np.ones((2, 2), np.float64))
