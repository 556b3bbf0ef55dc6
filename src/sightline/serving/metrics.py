"""Prometheus metrics of one server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sightline.tasks.base import Timings

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters and histograms of one server; its own registry, so that two servers in a process never mix."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sightline_requests_total", "Requests answered.", ("route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "sightline_request_seconds",
            "From the first byte of a request to the last of its reply.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "sightline_answers_total",
            "Questions answered, by task and code.",
            ("task", "code"),
            registry=self._registry,
        )
        self._stages = Histogram(
            "sightline_stage_seconds",
            "Time of each stage of a question.",
            ("task", "stage"),
            buckets=_SECONDS,
            registry=self._registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request. `route` is the pattern, never the path: paths would grow without bound."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def answered(self, task: str, timings: Timings) -> None:
        """Count one answered question and its stages."""
        self._answers.labels(task, "ok").inc()
        for stage in ("decode", "queue", "infer"):
            self._stages.labels(task, stage).observe(getattr(timings, stage) / 1000)

    def failed(self, task: str, code: str) -> None:
        """Count one question that got an error."""
        self._answers.labels(task, code).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
