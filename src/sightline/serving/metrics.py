"""Prometheus metrics of one server: `docs/monitoring.md` lists them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sightline.models.card import Identity
from sightline.serving.record import STAGES, current
from sightline.tasks.base import Timings

log = logging.getLogger("sightline")

# Fine where models answer (5 ms to 1 s), so that quantiles between two bounds mean something.
_MILLISECONDS = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750)
_SECONDS = (*(milliseconds / 1000 for milliseconds in _MILLISECONDS), 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)

Reading = float | Mapping[tuple[str, ...], float]
"""A gauge's value, or one for each set of label values."""

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "info": ("1, with the version of this server.", ("version",)),
    "ready": ("1 while questions can be answered, else 0.", ()),
    "requests_in_flight": ("HTTP requests being read, answered or written.", ()),
    "questions_in_flight": ("Questions that a worker is at.", ()),
    "queue_depth": ("Questions that wait, by queue.", ("queue",)),
    "workers": ("Questions that can be worked on at once.", ()),
    "worker_memory_bytes": ("Resident memory of worker processes; 0 where threads answer.", ()),
    "models_resident": ("Models in memory.", ()),
    "task_memory_bytes": ("Memory that a task took when it was loaded.", ("task",)),
    "model_info": ("1 for each model of a served task.", ("task", "name", "version", "sha256")),
    "event_loop_lag_seconds": ("How late the event loop was, at worst, in the last ten seconds.", ()),
}
"""What is read when `/metrics` is: name without `sightline_`, help, labels."""


class Metrics:
    """The counters, histograms and gauges of one server; its own registry, so that two servers in a process never
    mix. Safe to share between threads. What happens inside a request is noted in its record too."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Callable[[], Reading]] = {}
        registry = self._registry
        self._requests = Counter(
            "sightline_requests_total", "HTTP requests answered.", ("route", "status"), registry=registry
        )
        self._latency = Histogram(
            "sightline_request_seconds",
            "From the first byte of a request to the last of its reply.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers = Counter(
            "sightline_answers_total", "Questions answered, by task and code.", ("task", "code"), registry=registry
        )
        self._answer_seconds = Histogram(
            "sightline_answer_seconds",
            "From the arrival of a question at the workers to its encoded answer.",
            ("task",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "sightline_stage_seconds",
            "Time of each stage of an answered question.",
            ("task", "stage"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "sightline_batch_size", "Items a model ran on at once.", ("model",), buckets=_BATCHES, registry=registry
        )
        self._rejected = Counter(
            "sightline_rejected_total", "Requests that a limit stopped, by reason.", ("reason",), registry=registry
        )
        registry.register(_Gauges(self._gauges))
        ProcessCollector(registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request. `route` is the pattern, never the path: paths would grow without bound."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def answered(self, task: str, timings: Timings, models: Sequence[Identity] = ()) -> None:
        """Count one answered question and those of its stages that were timed. `models`: the deciding one first."""
        self._answers.labels(task, "ok").inc()
        self._answer_seconds.labels(task).observe((timings.total + timings.encode) / 1000)
        for stage in STAGES:
            milliseconds = getattr(timings, stage)
            if milliseconds > 0:
                self._stages.labels(task, stage).observe(milliseconds / 1000)
        record = current()
        if record is not None:
            record.answered(task, timings, models)

    def failed(self, task: str, code: str) -> None:
        """Count one question that got an error."""
        self._answers.labels(task, code).inc()
        record = current()
        if record is not None:
            record.task, record.code = task, code

    def batch(self, model: str, size: int) -> None:
        """Count one run of a model on `size` items."""
        self._batches.labels(model).observe(size)

    def rejected(self, reason: str) -> None:
        """Count one request turned away: `busy`, `rate_limited`, `deadline`, `too_large` or alike."""
        self._rejected.labels(reason).inc()

    def gauge(self, name: str, read: Callable[[], Reading]) -> None:
        """Let `read` tell the gauge `name` of `GAUGES` whenever `/metrics` is asked for; the last one given counts.
        It is called from any thread, and has to be quick."""
        if name not in GAUGES:
            raise ValueError(f"there is no gauge {name!r}")
        self._gauges[name] = read

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(_WithoutCreated(self._registry))


class _WithoutCreated(Collector):
    """All but the time at which each counter began, which doubles the exposition and tells nothing of use."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class _Gauges(Collector):
    """Reads the gauges that somebody tells."""

    def __init__(self, reads: Mapping[str, Callable[[], Reading]]) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        for name, (text, labels) in GAUGES.items():
            family = GaugeMetricFamily(f"sightline_{name}", text, labels=labels)
            try:
                reading = self._reads[name]() if name in self._reads else {}
            except Exception:
                # One gauge that cannot be read must not take the others with it.
                log.exception("the gauge %s cannot be read", name)
                continue
            for values, number in ({(): reading} if isinstance(reading, int | float) else reading).items():
                family.add_metric(values, number)
            yield family
