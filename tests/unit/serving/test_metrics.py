"""The exposition of what was counted."""

from __future__ import annotations

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
