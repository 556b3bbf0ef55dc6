"""How late the event loop comes to what is due: what blocks it delays every request."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class LoopLag:
    """Sleeps for `every` seconds again and again, and remembers for `window` seconds how much longer it took."""

    def __init__(self, every: float = 0.1, window: float = 10.0) -> None:
        self._every = every
        self._late: deque[float] = deque([0.0], maxlen=max(1, round(window / every)))

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            due = time.perf_counter() + self._every
            await asyncio.sleep(self._every)
            self._late.append(max(0.0, time.perf_counter() - due))

    def worst(self) -> float:
        """Seconds: the longest delay of the window."""
        return max(tuple(self._late))
