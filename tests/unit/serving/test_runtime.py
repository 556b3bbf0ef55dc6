"""The runtime with a task that answers when the test lets it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from sightline.errors import Busy, EngineError, InvalidOption, MissingInput, Unavailable, UnknownTask
from sightline.images.picture import Picture
from sightline.serving.runtime import Runtime
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


def started(**chosen: Any) -> tuple[Runtime, Width]:
    task = Width()
    runtime = Runtime(Settings(**{"max_concurrency": 2, **chosen}))
    runtime.start(("faces",), load=lambda name: task)
    return runtime, task


def test_an_answer_is_finished_and_timed_in_a_worker() -> None:
    runtime, _ = started()
    threads = []

    def finish(answer: Answer) -> str:
        threads.append(threading.current_thread().name)
        return "done"

    answer, finished = asyncio.run(runtime.ask("faces", {"image": PIXELS}, {}, finish))
    assert (answer.members(), finished) == ({"width": 6}, "done")
    assert threads[0].startswith("sightline")
    timings = answer.timings
    assert timings.total == pytest.approx(timings.queue + timings.decode + timings.infer)
    runtime.stop()


def test_every_worker_is_warmed() -> None:
    runtime, task = started(max_concurrency=3)
    assert len(task.warmed) == 3
    runtime.stop()


def test_not_ready_until_started() -> None:
    runtime = Runtime(Settings(max_concurrency=1))
    assert "loaded" in str(runtime.not_ready())
    with pytest.raises(Unavailable):
        runtime.task("faces")
    with pytest.raises(UnknownTask):
        runtime.task("nonsense")
    runtime.start(("faces",), load=lambda name: Width())
    assert runtime.not_ready() is None
    with pytest.raises(UnknownTask, match="there are faces"):
        runtime.task("lungs")
    runtime.drain()
    assert runtime.not_ready() == "the server is stopping"
    assert runtime.task("faces")  # what is in flight is still answered
    runtime.stop()


def test_a_task_that_does_not_load_is_the_reason() -> None:
    def load(name: str) -> Any:
        raise EngineError("the weights are torn")

    runtime = Runtime(Settings(max_concurrency=1))
    with pytest.raises(EngineError):
        runtime.start(("faces",), load=load)
    assert runtime.not_ready() == "the weights are torn"
    runtime.stop()


def test_one_more_than_may_wait_is_busy() -> None:
    runtime, task = started(max_concurrency=1, max_queue=2)
    task.gate.clear()

    async def ask() -> Any:
        return (await runtime.ask("faces", {"image": PIXELS}, {}, lambda answer: None))[0]

    async def crowd() -> None:
        asked = [asyncio.ensure_future(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await ask()
        task.gate.set()
        assert [answer.width for answer in await asyncio.gather(*asked)] == [6, 6, 6]
        assert (await ask()).width == 6  # there is room again

    asyncio.run(crowd())
    runtime.stop()


def test_errors_come_through_and_leave_room() -> None:
    runtime, _ = started(max_concurrency=1, max_queue=0)

    async def ask(pictures: Any, options: Any) -> Any:
        return await runtime.ask("faces", pictures, options, lambda answer: None)

    for _ in range(3):
        with pytest.raises(MissingInput):
            asyncio.run(ask({}, {}))
        with pytest.raises(InvalidOption):
            asyncio.run(ask({"image": PIXELS}, {"nonsense": 1}))
    assert asyncio.run(ask({"image": PIXELS}, {}))[0].width == 6
    runtime.stop()
