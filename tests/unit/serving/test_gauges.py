"""What a runtime tells while it works."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sightline.models.card import Identity
from sightline.serving.gauges import watch_runtime
from sightline.serving.lag import LoopLag
from sightline.serving.metrics import GAUGES, Metrics
from sightline.serving.runtime import Runtime
from sightline.settings import Settings

MODEL = Identity("blazeface-full", "0.10.21", "ab" * 32)


class Task:
    """As much of a task as the runtime looks at before it answers."""

    identities = (MODEL,)

    def warm(self) -> None:
        pass


def told(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (s.name.removeprefix("sightline_"), *sorted(s.labels.values())): s.value for f in families for s in f.samples
    }


def test_the_gauges_follow_the_runtime() -> None:
    runtime = Runtime(Settings(max_concurrency=1), load=lambda name: Task())  # type: ignore[arg-type,return-value]
    metrics = runtime.metrics
    watch_runtime(runtime, LoopLag())
    assert told(metrics)[("ready",)] == 0
    runtime.start(("faces",))
    before = told(metrics)
    assert (before[("ready",)], before[("workers",)], before[("models_resident",)]) == (1, 1, 1)
    assert before["model_info", *sorted(("faces", *MODEL.to_dict().values()))] == 1
    assert ("task_memory_bytes", "faces") in before

    async def crowd() -> dict[tuple[str, ...], float]:
        go_on = threading.Event()
        work: list[Any] = [asyncio.ensure_future(runtime.run(lambda: go_on.wait(20))) for _ in range(3)]
        await asyncio.sleep(0)
        busy = told(metrics)
        go_on.set()
        await asyncio.gather(*work)
        return busy

    busy = asyncio.run(crowd())
    assert (busy[("questions_in_flight",)], busy["queue_depth", "workers"]) == (1, 2)
    runtime.drain()
    after = told(metrics)
    assert (after[("ready",)], after["queue_depth", "workers"]) == (0, 0)
    runtime.stop()


def test_looking_loads_nothing() -> None:
    loads: list[str] = []

    def load(name: str) -> Any:
        loads.append(name)
        return Task()

    runtime = Runtime(Settings(max_concurrency=1), load=load)
    watch_runtime(runtime, LoopLag())
    runtime.start(("faces",))
    runtime._residents.drop("faces")  # as where memory is bounded and another task needed it
    told_later = told(runtime.metrics)
    assert loads == ["faces"]
    assert told_later[("models_resident",)] == 0
    assert any(key[0] == "model_info" for key in told_later)  # it is still served
    runtime.stop()


def test_every_gauge_is_told_by_somebody() -> None:
    runtime = Runtime(Settings(max_concurrency=1))
    watch_runtime(runtime, LoopLag())
    silent = set(GAUGES) - set(runtime.metrics._gauges)
    assert silent == {"requests_in_flight"}  # which the observer tells
