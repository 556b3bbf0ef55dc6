"""Questions are answered in the worker thread itself: the engines release the interpreter lock while they run."""

from __future__ import annotations

from typing import TypeVar

from sightline.serving.job import Done, Job, perform
from sightline.serving.residents import Residents

T = TypeVar("T")


class Threads:
    def __init__(self, residents: Residents) -> None:
        self._residents = residents

    def warm(self, name: str) -> None:
        # A LiteRT interpreter belongs to its thread, so that every thread is warmed and not only the one that loads.
        self._residents.get(name).warm()

    def perform(self, job: Job[T]) -> Done[T]:
        return perform(self._residents.get(job.name), job)

    def stop(self) -> None:
        for name in self._residents.loaded():
            self._residents.drop(name)
