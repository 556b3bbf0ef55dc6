"""Dynamic batches: what several questions ask of one network at the same time is run together.

No thread of its own: the first to ask leads, takes along what waits, runs, and passes the lead to the first of those
that came meanwhile. Where nobody else asks, an item runs at once, in its own thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from sightline.engines.base import Array, Engine, Tensor, check_inputs
from sightline.errors import EngineError, SightlineError
from sightline.serving.ticket import CURRENT, Ticket

Watch = Callable[[int], None]
"""Told the number of rows of each batch that ran."""


def can_batch(engine: Engine) -> bool:
    """Whether rows can be put together: the first dimension of every input and output is free."""
    return all(tensor.shape and tensor.shape[0] is None for tensor in (*engine.inputs, *engine.outputs))


class _Item:
    """One caller's rows, and what became of them."""

    __slots__ = ("arrays", "error", "leads", "outputs", "rows", "shape", "ticket", "woken")

    def __init__(self, arrays: tuple[Array, ...], ticket: Ticket | None) -> None:
        self.arrays, self.ticket = arrays, ticket
        self.rows = len(arrays[0])
        # Only rows of equal shape can lie in one array.
        self.shape = tuple(array.shape[1:] for array in arrays)
        self.outputs: tuple[Array, ...] | None = None
        self.error: Exception | None = None
        self.leads = False
        self.woken = threading.Event()

    @property
    def over(self) -> bool:
        return self.outputs is not None or self.error is not None

    def finish(self, outputs: tuple[Array, ...] | None, error: Exception | None = None) -> None:
        self.outputs, self.error = outputs, error
        self.woken.set()


class Batcher:
    """An engine that runs the rows of many callers together: at most `size` rows a batch, at most `sessions` batches at
    once. The leader of a batch waits up to `wait` seconds for more rows while `crowded` says that more may come.

    Rows never change each other's outcome: a batch that fails is halved until the row that fails is alone, and only its
    caller gets the error. An item whose ticket is void when its turn comes is dropped.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        size: int,
        sessions: int = 1,
        wait: float = 0.0,
        crowded: Callable[[], bool] = lambda: True,
        watch: Watch = lambda rows: None,
    ) -> None:
        if not can_batch(engine):
            raise EngineError("the first dimension of every input and output has to be free for batches")
        self._engine, self._size, self._sessions, self._wait = engine, max(1, size), max(1, sessions), wait
        self._crowded, self._watch = crowded, watch
        self._queue: deque[_Item] = deque()
        self._running = 0
        self._changed = threading.Condition()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self._engine.inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self._engine.outputs

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        """As `Engine.run`; also raises `TimedOut` for a question whose ticket became void while it waited."""
        check_inputs(self.inputs, arrays)
        if len({len(array) for array in arrays}) > 1:
            raise EngineError("the inputs have different numbers of rows")
        item = _Item(arrays, CURRENT.get())
        with self._changed:
            self._queue.append(item)
            self._changed.notify_all()
            if self._running < self._sessions:
                self._running += 1
                item.leads = True
        if not item.leads:
            item.woken.wait()
        if item.leads and not item.over:
            self._lead(item)
        if item.outputs is None:
            raise item.error or EngineError("the batch was given up")
        return item.outputs

    def _lead(self, leader: _Item) -> None:
        try:
            batch = self._take(leader)
            if batch:
                self._run(batch)
        finally:
            self._pass_on()
        leader.woken.wait()  # another leader took this one's rows along

    def _take(self, leader: _Item) -> list[_Item]:
        """The leader's rows and those of others that fit with them, oldest first; none if another took them."""
        with self._changed:
            if self._wait > 0 and self._crowded():
                self._changed.wait_for(lambda: leader not in self._queue or self._waiting() >= self._size, self._wait)
            if leader not in self._queue:
                return []
            self._queue.remove(leader)
            batch, rows = [leader], leader.rows
            for item in list(self._queue):
                if item.leads or item.shape != leader.shape or rows + item.rows > self._size:
                    continue
                self._queue.remove(item)
                batch.append(item)
                rows += item.rows
            return batch

    def _waiting(self) -> int:
        return sum(item.rows for item in self._queue)

    def _pass_on(self) -> None:
        with self._changed:
            for item in self._queue:
                if not item.leads:
                    item.leads = True
                    item.woken.set()
                    return
            self._running -= 1

    def _run(self, batch: list[_Item]) -> None:
        alive = []
        for item in batch:
            try:
                if item.ticket is not None:
                    item.ticket.check()
                alive.append(item)
            except SightlineError as error:
                item.finish(None, error)
        if alive:
            self._run_or_halve(alive)

    def _run_or_halve(self, batch: list[_Item]) -> None:
        try:
            rows = sum(item.rows for item in batch)
            joined = [np.concatenate(column) if len(column) > 1 else column[0] for column in _columns(batch)]
            pieces = [self._checked(joined, start) for start in range(0, max(rows, 1), self._size)]
            outputs = [np.concatenate(column) for column in zip(*pieces, strict=True)] if len(pieces) > 1 else pieces[0]
        except Exception as error:
            if len(batch) == 1:
                batch[0].finish(None, error)
                return
            middle = len(batch) // 2
            self._run_or_halve(batch[:middle])
            self._run_or_halve(batch[middle:])
            return
        start = 0
        for item in batch:
            item.finish(tuple(output[start : start + item.rows] for output in outputs))
            start += item.rows

    def _checked(self, joined: list[Array], start: int) -> tuple[Array, ...]:
        """Run at most `size` rows from `start` on: a caller with many rows does not take memory without bound."""
        arrays = [array[start : start + self._size] for array in joined]
        outputs = self._engine.run(*arrays)
        self._watch(len(arrays[0]))
        if any(len(output) != len(arrays[0]) for output in outputs):
            raise EngineError("the network did not answer each row")
        return outputs


def _columns(batch: list[_Item]) -> list[list[Array]]:
    return [[item.arrays[column] for item in batch] for column in range(len(batch[0].arrays))]
