"""What is known of one HTTP request: filled in on its way through the server, told when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from sightline.models.card import Identity
from sightline.tasks.base import Timings

STAGES = ("queue", "decode", "infer", "encode")
"""The stages of a question, in the order in which they happen."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of one question: `began` on the clock of `time.perf_counter`, and seconds."""

    name: str
    began: float
    seconds: float


@dataclass(slots=True)
class Record:
    """One request and its reply. Holds no content, no key, no path and no query string, so all of it may be told."""

    method: str
    began: float = field(default_factory=time.perf_counter)
    began_ns: int = field(default_factory=time.time_ns)
    """`began` as nanoseconds since 1970."""
    request_id: str = ""
    route: str = "unmatched"
    """The route's pattern."""
    status: int = 499
    """Until the reply begins, what a client gets that did not wait for it (nginx's number)."""
    bytes_in: int = 0
    bytes_out: int = 0
    task: str | None = None
    code: str | None = None
    """`ok`, or the code of the error; None where no question was asked and nothing failed."""
    model: Identity | None = None
    """The model that decided the answer."""
    stages: list[Stage] = field(default_factory=list)
    seconds: float = 0.0
    trace_id: str | None = None

    def answered(self, task: str, timings: Timings, models: Sequence[Identity] = ()) -> None:
        """Note an answered question. Its stages are laid end to end from its arrival; a request that asks several
        questions has the stages of all."""
        self.task, self.code = task, "ok"
        self.model = models[0] if models else None
        took = [(name, getattr(timings, name) / 1000) for name in STAGES]
        began = timings.arrived or time.perf_counter() - sum(seconds for _, seconds in took)
        for name, seconds in took:
            if seconds > 0:
                self.stages.append(Stage(name, began, seconds))
            began += seconds

    def stage_ms(self) -> dict[str, float]:
        """Milliseconds of each stage there was, summed over the questions of the request."""
        sums: dict[str, float] = {}
        for stage in self.stages:
            sums[stage.name] = sums.get(stage.name, 0.0) + stage.seconds * 1000
        return {name: round(ms, 2) for name, ms in sums.items()}


_current: ContextVar[Record | None] = ContextVar("record", default=None)


def current() -> Record | None:
    """The record of the request that is being answered here; None outside of one."""
    return _current.get()


@contextmanager
def recording(record: Record) -> Iterator[None]:
    """Make `record` the current one."""
    token = _current.set(record)
    try:
        yield
    finally:
        _current.reset(token)


def note_error(code: str) -> None:
    """Note the code of the error that the current request is answered with."""
    record = _current.get()
    if record is not None:
        record.code = code
