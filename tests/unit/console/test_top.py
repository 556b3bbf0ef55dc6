"""`sightline top` before a server that a test tells what to say."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from sightline.console import top
from sightline.console.exposition import parse
from sightline.console.frame import frame_of
from sightline.errors import Unavailable
from sightline.models.card import Identity
from sightline.serving.metrics import Metrics
from sightline.tasks.base import Timings

MODEL = Identity("blazeface-full", "0.10.21", "ab" * 32)


def metrics() -> Metrics:
    """A server that has answered ten questions, refused one and turned two away."""
    made = Metrics()
    made.gauge("info", lambda: {("9.9",): 1})
    made.gauge("ready", lambda: 1)
    made.gauge("workers", lambda: 2)
    made.gauge("queue_depth", lambda: {("blazeface",): 3})
    made.gauge("model_info", lambda: {("faces", MODEL.name, MODEL.version, MODEL.sha256): 1})
    made.gauge("event_loop_lag_seconds", lambda: 0.004)
    busy(made)
    made.failed("faces", "no_face")
    made.request("/v1/faces", 422, 0.01)
    made.request("/v1/faces", 503, 0.001)
    made.rejected("busy")
    made.rejected("busy")
    return made


def busy(made: Metrics) -> None:
    for _ in range(10):
        made.answered("faces", Timings(decode=4, queue=1, infer=40, total=45, encode=2), (MODEL,))
        made.request("/v1/faces", 200, 0.05)
        made.request("/metrics", 200, 0.001)
        made.batch("blazeface", 4)


def text_of(frame: Any, **chosen: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(top.draw(frame, "http://here", **chosen))
    return out.getvalue()


def test_the_figures_of_a_frame() -> None:
    made = metrics()
    first = parse(made.text().decode())
    busy(made)
    frame = frame_of(parse(made.text().decode()), first, 5.0)
    assert frame.requests == 2.0  # without those for /metrics
    assert (frame.errors, frame.refused) == (0, 0)
    (task,) = frame.tasks
    assert (task.rates, task.failures) == ({"ok": 2.0}, 0)
    assert list(task.stages) == ["queue", "decode", "infer", "encode"]
    assert 30 <= (task.stages["infer"].p50 or 0) <= 50
    assert 30 <= (task.answer.p99 or 0) <= 50
    assert [(batch.mean, batch.largest, batch.rate) for batch in frame.batches] == [(4, 4, 2)]
    assert frame.rejected == {}
    assert frame.lag == 4.0


def test_a_frame_since_the_start_tells_what_went_wrong() -> None:
    frame = frame_of(parse(metrics().text().decode()), None, 10.0)
    assert frame.rejected == {"busy": 0.2}
    assert (frame.requests, frame.errors, frame.refused) == (1.2, 0.1, 0.1)
    text = text_of(frame)
    for told in ("Sightline 9.9", "ready", "since its start", "no_face", "busy 0.20/s", "blazeface 3", "infer"):
        assert told in text, told
    assert "blazeface-full 0.10.21: faces" in text
    assert json.loads(json.dumps(frame.to_dict()))["tasks"][0]["per_second_by_code"]["no_face"] == 0.1


def test_an_idle_server_has_no_quantiles() -> None:
    made = metrics()
    reading = parse(made.text().decode())
    frame = frame_of(reading, reading, 1.0)
    assert (frame.requests, frame.tasks[0].answer.p50, frame.tasks[0].stages) == (0, None, {})
    assert "-" in text_of(frame)


def test_the_history_is_drawn() -> None:
    assert top.bars([0, 1, 2]) == "▁▅█"
    assert top.bars([0, 0]) == "▁▁"
    assert top.bars([]) == ""


class Script:
    """A server that answers by turns; an error is raised."""

    def __init__(self, *turns: top.Scrape | Unavailable) -> None:
        self._turns: Iterator[top.Scrape | Unavailable] = iter(turns)

    def scrape(self) -> top.Scrape:
        for turn in self._turns:
            if isinstance(turn, Unavailable):
                raise turn
            return turn
        raise KeyboardInterrupt


def scrape_of(made: Metrics, at: float, started: float) -> top.Scrape:
    lines = [line for line in made.text().decode().splitlines() if "process_start_time_seconds" not in line]
    text = "\n".join([*lines, f"process_start_time_seconds {started}", ""])
    return top.Scrape(parse(text), at, 100.0)


def test_a_look_now_and_then_is_of_the_time_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that is longer than the window."""
    drawn: list[Any] = []
    real = top.draw
    monkeypatch.setattr(top, "draw", lambda frame, *rest: drawn.append(frame) or real(frame, *rest))
    scrapes = [scrape_of(metrics(), at, 1.0) for at in (0.0, 40.0, 80.0)]
    with pytest.raises(KeyboardInterrupt):
        top.watch(Script(*scrapes[1:]), scrapes[0], "http://here", 0.0, Console(file=io.StringIO()))
    assert [(frame.since_start, frame.seconds) for frame in drawn[1:]] == [(False, 40.0), (False, 40.0)]


def test_watching_goes_on_while_a_server_is_away_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    real = top.draw
    monkeypatch.setattr(top, "draw", lambda frame, *rest: drawn.append(frame) or real(frame, *rest))
    made, again = metrics(), metrics()
    first = scrape_of(made, 0.0, 1.0)
    busy(made)
    turns = (
        scrape_of(made, 10.0, 1.0),
        scrape_of(made, 20.0, 1.0),
        Unavailable("no server answers"),
        scrape_of(again, 30.0, 29.0),
        scrape_of(again, 31.0, 29.0),
    )
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with pytest.raises(KeyboardInterrupt):
        top.watch(Script(*turns), first, "http://here", 0.0, console)
    assert [(frame.since_start, frame.seconds) for frame in drawn] == [
        (True, 100.0),
        (False, 10.0),
        (False, 10.0),  # the first look is older than the window by now
        (True, 100.0),  # another process: nothing of the former is subtracted
        (False, 1.0),
    ]
    assert [frame.requests for frame in drawn[1:3]] == [1.0, 0.0]
    assert "no server answers" in out.getvalue()
