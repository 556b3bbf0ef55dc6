"""What a runtime tells when `/metrics` is asked for."""

from __future__ import annotations

import multiprocessing
import os

import sightline
from sightline.serving.lag import LoopLag
from sightline.serving.metrics import Reading
from sightline.serving.runtime import Runtime


def watch_runtime(runtime: Runtime, lag: LoopLag) -> None:
    """Let the runtime's metrics tell its readiness, its models and their memory, and how late the event loop is.

    Nothing here looks a task up, which would load one that was unloaded.
    """

    def models() -> Reading:
        return {
            (task, *identity.to_dict().values()): 1 for task in runtime.tasks for identity in runtime.identities(task)
        }

    def resident() -> Reading:
        return len({identity for task in runtime.loaded() for identity in runtime.identities(task)})

    gauge = runtime.metrics.gauge
    gauge("info", lambda: {(sightline.__version__,): 1})
    gauge("ready", lambda: runtime.not_ready() is None)
    gauge("worker_memory_bytes", _worker_bytes)
    gauge("models_resident", resident)
    gauge("task_memory_bytes", lambda: {(task,): size for task, size in runtime.loaded().items()})
    gauge("model_info", models)
    gauge("event_loop_lag_seconds", lag.worst)


def _worker_bytes() -> float:
    """The resident memory of this process's children; pages that they share count in each. 0 without /proc."""
    pages = 0
    for child in multiprocessing.active_children():
        try:
            with open(f"/proc/{child.pid}/statm") as statm:
                pages += int(statm.read().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
