"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import Throttled
from sightline.serving.rate import MOST_CALLERS, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(2, 3, clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Throttled) as caught:
        limit.take("a")
    assert caught.value.retry_after == pytest.approx(0.5)
    limit.take("b")  # others are not held up
    clock.now += 0.5
    limit.take("a")
    with pytest.raises(Throttled):
        limit.take("a")


def test_no_rate_is_no_limit() -> None:
    limit = RateLimit(0, 1)
    for _ in range(100):
        limit.take("a")


def test_callers_are_forgotten_beyond_a_number() -> None:
    limit = RateLimit(0.001, 1, Clock())
    for number in range(MOST_CALLERS + 5):
        limit.take(str(number))
    assert len(limit._buckets) == MOST_CALLERS


@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(rate, burst, clock)
    for taken, pause in enumerate(pauses, 1):
        clock.now += pause
        try:
            limit.take("a")
        except Throttled as error:
            clock.now += error.retry_after + 1e-6
            limit.take("a")  # after the wait it was told, it may
        assert taken <= burst + rate * clock.now + 1e-3
