"""Prometheus' text as numbers."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from sightline.console import exposition
from sightline.console.exposition import Reading, parse
from sightline.errors import Unavailable

BOUNDS = (0.01, 0.1, 1.0, 10.0)


def scraped(observations: list[float], **labels: str) -> Reading:
    """What a server with one histogram says after these observations."""
    registry = CollectorRegistry()
    histogram = Histogram("t_seconds", "Help.", tuple(labels), buckets=BOUNDS, registry=registry)
    child = histogram.labels(**labels) if labels else histogram
    for value in observations:
        child.observe(value)
    return parse(generate_latest(registry).decode())


def test_a_quantile_is_linear_within_its_bucket() -> None:
    histogram = scraped([0.05] * 10).histogram("t_seconds")
    assert histogram.count == 10
    assert histogram.mean == pytest.approx(0.05)
    assert histogram.quantile(0.5) == pytest.approx(0.01 + 0.09 * 0.5)
    assert histogram.quantile(1.0) == pytest.approx(0.1)
    assert histogram.largest == 0.1


def test_nothing_observed_has_no_quantile() -> None:
    for reading in (Reading(), scraped([])):
        histogram = reading.histogram("t_seconds")
        assert (histogram.count, histogram.mean, histogram.quantile(0.5), histogram.largest) == (0, None, None, None)


def test_above_all_bounds_the_largest_is_told() -> None:
    histogram = scraped([50.0]).histogram("t_seconds")
    assert histogram.quantile(0.5) == 10.0
    assert math.isinf(histogram.largest or 0)


@given(st.lists(st.floats(0.0001, 9.9), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], q: float) -> None:
    found = scraped(values).histogram("t_seconds").quantile(q)
    true = sorted(values)[math.ceil(q * len(values)) - 1]
    index = bisect_left(BOUNDS, true)
    assert found is not None
    assert (BOUNDS[index - 1] if index else 0.0) - 1e-9 <= found <= BOUNDS[index] + 1e-9


@given(st.lists(st.floats(0.0001, 99), max_size=20), st.lists(st.floats(0.0001, 99), max_size=20))
def test_what_lies_between_two_readings(before: list[float], after: list[float]) -> None:
    gained = scraped(before + after).since(scraped(before)).histogram("t_seconds")
    alone = scraped(after).histogram("t_seconds")
    assert gained.counts == alone.counts
    assert gained.sum == pytest.approx(alone.sum)


def test_a_counter_that_began_anew_is_all_new() -> None:
    assert scraped([1.0, 1.0]).since(scraped([1.0] * 5)).histogram("t_seconds").count == 2


def test_labels_choose_and_group() -> None:
    registry = CollectorRegistry()
    counter = Counter("asked", "Help.", ("task", "code"), registry=registry)
    for task, code, count in (("faces", "ok", 3), ("faces", 'odd "code"\\', 1), ("lungs", "ok", 2)):
        counter.labels(task, code).inc(count)
    reading = parse(generate_latest(registry).decode())
    assert reading.by("asked_total", "task") == {"faces": 4, "lungs": 2}
    assert reading.by("asked_total", "code", task="faces") == {'odd "code"\\': 1, "ok": 3}
    assert reading.total("asked_total", code="ok") == 5
    assert reading.without("task", ("lungs",)).total("asked_total") == 4
    assert reading.one("asked_total") is None


@pytest.mark.parametrize("text", ["<html><body>hello</body></html>", '{"a": 1}', "a_metric not_a_number", 'a{b="c'])
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(Unavailable):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reading = exposition.parse(text)
    except Unavailable:
        return
    assert all(isinstance(value, float) for samples in reading.samples.values() for value in samples.values())
