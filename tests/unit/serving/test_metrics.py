"""The exposition of what was counted."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sightline.serving.metrics import Metrics
from sightline.tasks.base import Timings


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_what_was_counted_is_told() -> None:
    metrics = Metrics()
    metrics.request("/v1/{task}", 200, 0.3)
    metrics.request("/v1/{task}", 200, 0.1)
    metrics.answered("faces", Timings(decode=1, queue=2, infer=4000, total=4003))
    metrics.failed("faces", "no_face")
    told = samples(metrics)
    assert told["sightline_requests_total", "/v1/{task}", "200"] == 2
    assert told["sightline_request_seconds_sum", "/v1/{task}"] == 0.4
    assert told["sightline_answers_total", "faces", "ok"] == 1
    assert told["sightline_answers_total", "faces", "no_face"] == 1
    assert told["sightline_stage_seconds_sum", "faces", "infer"] == 4.0


def test_two_servers_in_a_process_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.request("/", 200, 0.1)
    assert not any(key[0] == "sightline_requests_total" for key in samples(other))


def test_a_stage_that_was_not_timed_is_not_counted() -> None:
    metrics = Metrics()
    metrics.answered("faces", Timings(infer=10, total=10))
    told = samples(metrics)
    assert told["sightline_stage_seconds_count", "faces", "infer"] == 1
    assert ("sightline_stage_seconds_count", "decode", "faces") not in told
    assert not any("decode" in key for key in told)


def test_the_whole_answer_has_its_encoding_too() -> None:
    metrics = Metrics()
    metrics.answered("faces", Timings(infer=10, total=12, encode=3))
    assert samples(metrics)["sightline_answer_seconds_sum", "faces"] == pytest.approx(0.015)


def test_batches_and_rejections() -> None:
    metrics = Metrics()
    metrics.batch("blazeface", 8)
    metrics.batch("blazeface", 2)
    metrics.rejected("busy")
    told = samples(metrics)
    assert told["sightline_batch_size_sum", "blazeface"] == 10
    assert told["sightline_batch_size_count", "blazeface"] == 2
    assert told["sightline_rejected_total", "busy"] == 1


def test_gauges_are_read_when_they_are_asked_for() -> None:
    metrics, depth = Metrics(), 1
    metrics.gauge("queue_depth", lambda: {("a",): depth, ("b",): 0})
    metrics.gauge("ready", lambda: False)
    assert samples(metrics)["sightline_queue_depth", "a"] == 1
    depth = 5
    told = samples(metrics)
    assert (told["sightline_queue_depth", "a"], told["sightline_queue_depth", "b"]) == (5, 0)
    assert told[("sightline_ready",)] == 0
    with pytest.raises(ValueError, match="no gauge"):
        metrics.gauge("nonsense", lambda: 1)


def test_a_gauge_that_breaks_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    metrics.gauge("workers", lambda: 1 / 0)
    metrics.gauge("ready", lambda: 1)
    told = samples(metrics)
    assert told[("sightline_ready",)] == 1
    assert ("sightline_workers",) not in told
    assert "workers" in caplog.text


def test_no_series_is_there_twice_for_its_time_of_birth() -> None:
    metrics = Metrics()
    metrics.rejected("busy")
    assert b"_created" not in metrics.text()
    assert metrics.text().count(b"sightline_rejected_total{") == 1
