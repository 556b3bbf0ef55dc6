"""One question as data, and its answer: what an executor is handed and hands back, in a thread or another process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from sightline.images.decode import Source
from sightline.serving.ticket import CURRENT
from sightline.tasks.base import Answer, Task, Timings

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Finish(Protocol[T_co]):
    """Turns an answer into what goes over the wire, still in the worker. It travels to the worker's process, so it is
    an instance of a class or a function that can be imported."""

    def __call__(self, task: Task[Any, Any], answer: Answer, pictures: Mapping[str, Source]) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A question to the task `name`: its pictures as they came, its options, and how its answer is finished.

    `arrived` is the clock of `time.perf_counter`, which the processes of a machine share, when the question came."""

    name: str
    pictures: Mapping[str, Source]
    options: Mapping[str, Any]
    finish: Finish[T]
    arrived: float


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a question became, and how long it took."""

    content: T
    timings: Timings


def perform(task: Task[Any, Any], job: Job[T]) -> Done[T]:
    """Decode, answer and finish. Raises what the task raises, and `TimedOut` where it is in vain."""
    begun = time.perf_counter()
    question = task.ask(job.pictures, job.options)
    decoded = time.perf_counter()
    ticket = CURRENT.get()
    if ticket is not None:
        ticket.check()
    answer = task.answer(question)
    inferred = time.perf_counter()
    timings = Timings(
        decode=(decoded - begun) * 1000,
        queue=(begun - job.arrived) * 1000,
        infer=(inferred - decoded) * 1000,
        total=(inferred - job.arrived) * 1000,
        arrived=job.arrived,
    )
    content = job.finish(task, answer.stamped(task.identities, timings), job.pictures)
    return Done(content, replace(timings, encode=(time.perf_counter() - inferred) * 1000))
