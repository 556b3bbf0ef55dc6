"""What `sightline top` tells of a server: figures of the time between two readings of its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sightline.console.exposition import Histogram, Reading
from sightline.serving.probes import PROBES

_ORDER = ("queue", "decode", "infer", "encode")


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles in milliseconds; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> Spread:
        """From a histogram of seconds."""
        found = (histogram.quantile(q) for q in (0.5, 0.95, 0.99))
        return cls(*(None if seconds is None else seconds * 1000 for seconds in found))

    def to_dict(self) -> dict[str, float | None]:
        return {name: _rounded(getattr(self, name)) for name in ("p50", "p95", "p99")}


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One task: questions a second by code, the whole answer, and its stages."""

    name: str
    rates: dict[str, float]
    answer: Spread
    stages: dict[str, Spread]

    @property
    def rate(self) -> float:
        return sum(self.rates.values())

    @property
    def failures(self) -> float:
        """Questions a second that got an error."""
        return self.rate - self.rates.get("ok", 0.0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "per_second": _rounded(self.rate),
            "per_second_by_code": {code: _rounded(rate) for code, rate in self.rates.items()},
            "answer_ms": self.answer.to_dict(),
            "stages_ms": {stage: spread.to_dict() for stage, spread in self.stages.items()},
        }


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of one model: how many ran a second, their mean size, and the bound of the largest one's bucket."""

    model: str
    rate: float
    mean: float | None
    largest: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "per_second": _rounded(self.rate),
            "mean": _rounded(self.mean),
            "largest": None if self.largest == float("inf") else self.largest,
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """A server over `seconds`: the time between two readings, or since it started. Gauges are those of the last."""

    seconds: float
    since_start: bool
    version: str
    ready: bool
    requests: float
    """HTTP requests a second, without probes."""
    errors: float
    """Those of them answered with a status of 500 and above, a second."""
    refused: float
    """Those of them answered with a status of 400 to 499, a second."""
    request: Spread
    in_flight: float
    working: float
    workers: float
    queues: dict[str, float]
    rejected: dict[str, float]
    """Requests a second turned away, by reason."""
    tasks: tuple[TaskFigures, ...]
    batches: tuple[Batches, ...]
    memory: float | None
    """Bytes, with those of worker processes."""
    processors: float | None
    """Processors kept busy: 1.5 is one and a half."""
    lag: float | None
    """Milliseconds."""
    resident: float
    models: dict[str, tuple[str, ...]]
    """`name version` and the tasks it serves."""

    def to_dict(self) -> dict[str, Any]:
        """As `sightline top --json` prints it."""
        return {
            "seconds": _rounded(self.seconds),
            "since_start": self.since_start,
            "version": self.version,
            "ready": self.ready,
            "requests_per_second": _rounded(self.requests),
            "errors_per_second": _rounded(self.errors),
            "refused_per_second": _rounded(self.refused),
            "request_ms": self.request.to_dict(),
            "requests_in_flight": self.in_flight,
            "questions_in_flight": self.working,
            "workers": self.workers,
            "queue_depth": self.queues,
            "rejected_per_second": {reason: _rounded(rate) for reason, rate in self.rejected.items()},
            "tasks": [task.to_dict() for task in self.tasks],
            "batches": [batches.to_dict() for batches in self.batches],
            "memory_bytes": self.memory,
            "processors_busy": _rounded(self.processors),
            "event_loop_lag_ms": _rounded(self.lag),
            "models_resident": self.resident,
            "models": {name: list(tasks) for name, tasks in self.models.items()},
        }


def frame_of(now: Reading, older: Reading | None, seconds: float) -> Frame:
    """The figures of `seconds` between two readings; of the time since the start where `older` is None."""
    # Without probes, or `top` would count itself.
    gained = (now if older is None else now.since(older)).without("route", PROBES)
    seconds = max(seconds, 1e-9)
    statuses = gained.by("sightline_requests_total", "status")
    processor_seconds = gained.one("process_cpu_seconds_total")
    memory = now.one("process_resident_memory_bytes")
    lag = now.one("sightline_event_loop_lag_seconds")
    return Frame(
        seconds=seconds,
        since_start=older is None,
        version=next(iter(now.by("sightline_info", "version")), "?"),
        ready=bool(now.one("sightline_ready")),
        requests=sum(statuses.values()) / seconds,
        errors=sum(count for status, count in statuses.items() if status.startswith("5")) / seconds,
        refused=sum(count for status, count in statuses.items() if status.startswith("4")) / seconds,
        request=Spread.of(gained.histogram("sightline_request_seconds")),
        in_flight=now.one("sightline_requests_in_flight") or 0.0,
        working=now.one("sightline_questions_in_flight") or 0.0,
        workers=now.one("sightline_workers") or 0.0,
        queues=now.by("sightline_queue_depth", "queue"),
        rejected=_rates(gained.by("sightline_rejected_total", "reason"), seconds),
        tasks=tuple(_task(gained, name, seconds) for name in now.by("sightline_answers_total", "task")),
        batches=tuple(_batches(gained, model, seconds) for model in now.by("sightline_batch_size_count", "model")),
        memory=None if memory is None else memory + (now.one("sightline_worker_memory_bytes") or 0.0),
        processors=None if processor_seconds is None else processor_seconds / seconds,
        lag=None if lag is None else lag * 1000,
        resident=now.one("sightline_models_resident") or 0.0,
        models=_models(now),
    )


def _task(gained: Reading, name: str, seconds: float) -> TaskFigures:
    found = gained.by("sightline_stage_seconds_count", "stage", task=name)
    known = [stage for stage in _ORDER if stage in found] + [stage for stage in found if stage not in _ORDER]
    stages = {stage: gained.histogram("sightline_stage_seconds", task=name, stage=stage) for stage in known}
    return TaskFigures(
        name,
        _rates(gained.by("sightline_answers_total", "code", task=name), seconds),
        Spread.of(gained.histogram("sightline_answer_seconds", task=name)),
        {stage: Spread.of(histogram) for stage, histogram in stages.items() if histogram.count},
    )


def _batches(gained: Reading, model: str, seconds: float) -> Batches:
    sizes = gained.histogram("sightline_batch_size", model=model)
    return Batches(model, sizes.count / seconds, sizes.mean, sizes.largest)


def _rates(counts: dict[str, float], seconds: float) -> dict[str, float]:
    """Those that are not zero."""
    return {name: count / seconds for name, count in counts.items() if count}


def _models(now: Reading) -> dict[str, tuple[str, ...]]:
    tasks: dict[str, set[str]] = {}
    for key in now.series("sightline_model_info"):
        labels = dict(key)
        tasks.setdefault(f"{labels['name']} {labels['version']}", set()).add(labels["task"])
    return {name: tuple(sorted(served)) for name, served in sorted(tasks.items())}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
