"""What a runtime tells when `/metrics` is asked for."""

from __future__ import annotations

import sightline
from sightline.serving.lag import LoopLag
from sightline.serving.metrics import Reading
from sightline.serving.runtime import Runtime


def watch_runtime(runtime: Runtime, lag: LoopLag) -> None:
    """Let the runtime's metrics tell its readiness, its models, and how late the event loop is."""

    def models() -> Reading:
        # A copy in one step: another thread may be loading.
        tasks = tuple(runtime.tasks.items())
        return {(name, *identity.to_dict().values()): 1 for name, task in tasks for identity in task.identities}

    def resident() -> Reading:
        objects = {id(model): model for task in tuple(runtime.tasks.values()) for model in task.models}
        return sum(len(model.cards) for model in objects.values())

    gauge = runtime.metrics.gauge
    gauge("info", lambda: {(sightline.__version__,): 1})
    gauge("ready", lambda: runtime.not_ready() is None)
    gauge("models_resident", resident)
    gauge("model_info", models)
    gauge("event_loop_lag_seconds", lag.worst)
