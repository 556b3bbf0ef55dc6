"""One question's right to be answered: until when, and whether anybody still waits for it."""

from __future__ import annotations

import time
from contextvars import ContextVar

from sightline.errors import Cancelled, TimedOut


class Ticket:
    """Given to a question when it arrives. `cancel` may be called from any thread, at any time."""

    def __init__(self, seconds: float | None = None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds
        """Of `time.monotonic`; None: no deadline."""
        self._cancelled = False

    def cancel(self) -> None:
        """Nobody waits any more: what has not begun need not begin."""
        self._cancelled = True

    def remaining(self) -> float | None:
        """Seconds until the deadline, not below zero; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raise `Cancelled` or `TimedOut` where work for this question is in vain."""
        if self._cancelled:
            raise Cancelled("the client went away")
        if self.remaining() == 0:
            raise TimedOut("the deadline passed before the question was answered")


CURRENT: ContextVar[Ticket | None] = ContextVar("ticket", default=None)
"""The ticket of the question that this thread works on: what lies under the tasks can look whether it is in vain."""
