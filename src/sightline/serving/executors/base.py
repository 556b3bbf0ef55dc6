"""The seam between the runtime and those who do the work."""

from __future__ import annotations

from typing import Protocol, TypeVar

from sightline.serving.job import Done, Job

T = TypeVar("T")


class Executor(Protocol):
    """Answers questions on the runtime's worker threads, each of which asks it for one question at a time."""

    def warm(self, name: str) -> None:
        """Make this thread ready to answer questions to the task `name`, in its newest version. Raises what loading
        raises."""
        ...

    def perform(self, job: Job[T]) -> Done[T]:
        """Answer one question, in this thread or on its behalf. Raises what the task raises."""
        ...

    def stop(self) -> None:
        """Let go of everything. Called once, when no thread works any more."""
        ...
