"""The runtime with a task that answers when the test lets it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from sightline.errors import (
    Busy,
    Cancelled,
    EngineError,
    InvalidOption,
    MissingInput,
    TimedOut,
    Unavailable,
    UnknownTask,
)
from sightline.images.picture import Picture
from sightline.serving.runtime import Runtime
from sightline.serving.ticket import Ticket
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import asks

PIXELS = np.zeros((4, 6, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class WidthQuestion:
    image: Picture = asks("A picture.")


@dataclass(frozen=True, kw_only=True)
class WidthAnswer(Answer):
    schema: ClassVar[schema.Schema] = schema.members(width=schema.INTEGER)
    width: int

    def members(self) -> dict[str, Any]:
        return {"width": self.width}


class Width(Task[WidthQuestion, WidthAnswer]):
    """Answers a picture's width, as soon as `gate` is open."""

    name = "faces"
    summary = "How wide?"
    Question = WidthQuestion
    Answer = WidthAnswer

    def __init__(self) -> None:
        super().__init__((), Settings())
        self.gate = threading.Event()
        self.gate.set()
        self.warmed: set[int] = set()

    def warm(self) -> None:
        self.warmed.add(threading.get_ident())

    def answer(self, question: WidthQuestion) -> WidthAnswer:
        assert self.gate.wait(20)
        return WidthAnswer(width=question.image.width)


def width(task: Task[Any, Any], answer: Answer, pictures: Any) -> Any:
    return answer.members()["width"]


def started(**chosen: Any) -> tuple[Runtime, Width]:
    task = Width()
    runtime = Runtime(Settings(**{"max_concurrency": 2, **chosen}), load=lambda name: task)
    runtime.start(("faces",))
    return runtime, task


def test_an_answer_is_finished_and_timed_in_a_worker() -> None:
    runtime, _ = started()
    threads = []

    def finish(task: Task[Any, Any], answer: Answer, pictures: Any) -> dict[str, Any]:
        threads.append(threading.current_thread().name)
        return answer.members()

    timings, finished = asyncio.run(runtime.ask("faces", {"image": PIXELS}, {}, finish))
    assert finished == {"width": 6}
    assert threads[0].startswith("sightline")
    assert timings.total == pytest.approx(timings.queue + timings.decode + timings.infer)
    assert timings.encode > 0
    runtime.stop()


def test_every_worker_is_warmed() -> None:
    runtime, task = started(max_concurrency=3)
    assert len(task.warmed) == 4  # and the thread that loads
    runtime.stop()


def test_not_ready_until_started() -> None:
    runtime = Runtime(Settings(max_concurrency=1), load=lambda name: Width())
    assert "loaded" in str(runtime.not_ready())
    with pytest.raises(Unavailable):
        runtime.kind("faces")
    with pytest.raises(UnknownTask):
        runtime.kind("nonsense")
    runtime.start(("faces",))
    assert runtime.not_ready() is None
    with pytest.raises(UnknownTask, match="there are faces"):
        runtime.kind("lungs")
    runtime.drain()
    assert runtime.not_ready() == "the server is stopping"
    assert runtime.kind("faces")  # what is in flight is still answered
    runtime.stop()


def test_a_task_that_does_not_load_is_the_reason() -> None:
    def load(name: str) -> Any:
        raise EngineError("the weights are torn")

    runtime = Runtime(Settings(max_concurrency=1), load=load)
    with pytest.raises(EngineError):
        runtime.start(("faces",))
    assert runtime.not_ready() == "the weights are torn"
    runtime.stop()


def test_one_more_than_may_wait_is_busy() -> None:
    runtime, task = started(max_concurrency=1, max_queue=2)
    task.gate.clear()

    async def ask() -> Any:
        return (await runtime.ask("faces", {"image": PIXELS}, {}, width))[1]

    async def crowd() -> None:
        asked = [asyncio.ensure_future(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await ask()
        task.gate.set()
        assert await asyncio.gather(*asked) == [6, 6, 6]
        assert await ask() == 6  # there is room again

    asyncio.run(crowd())
    assert b'sightline_rejected_total{reason="busy"} 1.0' in runtime.metrics.text()
    runtime.stop()


def test_errors_come_through_and_leave_room() -> None:
    runtime, _ = started(max_concurrency=1, max_queue=0)

    async def ask(pictures: Any, options: Any) -> Any:
        return await runtime.ask("faces", pictures, options, width)

    for _ in range(3):
        with pytest.raises(MissingInput):
            asyncio.run(ask({}, {}))
        with pytest.raises(InvalidOption):
            asyncio.run(ask({"image": PIXELS}, {"nonsense": 1}))
    assert asyncio.run(ask({"image": PIXELS}, {}))[1] == 6
    runtime.stop()


def test_busy_says_when_to_come_back() -> None:
    runtime, task = started(max_concurrency=1, max_queue=0)
    task.gate.clear()

    async def crowd() -> int:
        first = asyncio.ensure_future(runtime.ask("faces", {"image": PIXELS}, {}, width))
        await asyncio.sleep(0)
        with pytest.raises(Busy) as caught:
            await runtime.ask("faces", {"image": PIXELS}, {}, width)
        task.gate.set()
        await first
        return caught.value.retry_after

    assert asyncio.run(crowd()) >= 1
    runtime.stop()


def test_a_deadline_ends_the_wait_and_takes_the_question_out_of_the_queue() -> None:
    runtime, task = started(max_concurrency=1)
    task.gate.clear()
    decoded = []
    ask, task.ask = task.ask, lambda *given: decoded.append(1) or ask(*given)  # type: ignore[func-returns-value,method-assign]

    async def crowd() -> None:
        first = asyncio.ensure_future(runtime.ask("faces", {"image": PIXELS}, {}, width))
        await asyncio.sleep(0)  # the first asks first
        with pytest.raises(TimedOut):
            await runtime.ask("faces", {"image": PIXELS}, {}, width, Ticket(0.05))
        task.gate.set()
        assert (await first)[1] == 6
        assert (await runtime.ask("faces", {"image": PIXELS}, {}, width))[1] == 6

    asyncio.run(crowd())
    assert len(decoded) == 2  # the one in between never began
    assert b'sightline_rejected_total{reason="deadline"} 1.0' in runtime.metrics.text()
    assert runtime.waiting == 0
    runtime.stop()


def test_a_deadline_that_the_worker_finds_passed_counts_too() -> None:
    runtime, _ = started()

    def late() -> None:
        raise TimedOut("the deadline passed")

    def gone() -> None:
        raise Cancelled("the client went away")

    for work, error in ((late, TimedOut), (gone, Cancelled)):
        with pytest.raises(error):
            asyncio.run(runtime.run(work))
    assert b'sightline_rejected_total{reason="deadline"} 1.0' in runtime.metrics.text()
    runtime.stop()


def test_a_question_that_nobody_waits_for_is_taken_back() -> None:
    runtime, task = started(max_concurrency=1)
    task.gate.clear()

    async def crowd() -> None:
        first = asyncio.ensure_future(runtime.ask("faces", {"image": PIXELS}, {}, width))
        ticket = Ticket()
        second = asyncio.ensure_future(runtime.ask("faces", {"image": PIXELS}, {}, width, ticket))
        await asyncio.sleep(0.05)
        assert runtime.waiting == 2
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert runtime.waiting == 1
        with pytest.raises(Cancelled):
            ticket.check()
        task.gate.set()
        await first

    asyncio.run(crowd())
    runtime.stop()


def test_a_model_is_swapped_under_load_and_no_question_is_dropped() -> None:
    made: list[Width] = []

    def load(name: str) -> Width:
        made.append(Width())
        made[-1].number = len(made)  # type: ignore[attr-defined]
        return made[-1]

    def number(task: Any, answer: Answer, pictures: Any) -> int:
        return int(task.number)

    runtime = Runtime(Settings(max_concurrency=2), load=load)
    runtime.start(("faces",))
    seen: list[int] = []

    async def crowd() -> None:
        over = asyncio.Event()

        async def client() -> None:
            while not over.is_set():
                seen.append((await runtime.ask("faces", {"image": PIXELS}, {}, number))[1])

        clients = [asyncio.ensure_future(client()) for _ in range(4)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(runtime.swap, "faces")
        begun = len(seen)
        while len(seen) < begun + 20:
            await asyncio.sleep(0.01)
        over.set()
        await asyncio.gather(*clients)

    asyncio.run(crowd())
    assert {*seen} == {1, 2}
    assert seen == sorted(seen) or set(seen[-8:]) == {2}
    runtime.stop()


def test_a_swap_that_fails_leaves_the_old_model() -> None:
    loads = []

    def load(name: str) -> Any:
        loads.append(name)
        if len(loads) > 1:
            raise EngineError("the weights are torn")
        return Width()

    runtime = Runtime(Settings(max_concurrency=2), load=load)
    runtime.start(("faces",))
    with pytest.raises(EngineError):
        runtime.swap("faces", "another")
    assert asyncio.run(runtime.ask("faces", {"image": PIXELS}, {}, width))[1] == 6
    runtime.stop()
