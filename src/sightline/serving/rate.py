"""How often one caller may ask: a token bucket each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from sightline.errors import Throttled

MOST_CALLERS = 10_000


class RateLimit:
    """Every caller may ask `burst` times at once, and `rate` times a second on average.

    The buckets of the callers seen longest ago are forgotten beyond ten thousand: a full bucket and none are the same.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def take(self, caller: str) -> None:
        """Take a token. Raises `Throttled` where there is none; without a rate there always is."""
        if not self._rate:
            return
        now = self._clock()
        tokens, then = self._buckets.get(caller, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            text = f"more than {self._rate:g} questions a second; this server takes no more from one caller"
            raise Throttled(text, (1 - tokens) / self._rate)
