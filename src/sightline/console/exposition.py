"""Prometheus' text as numbers: one reading, what lies between two, and the quantiles of a histogram."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from sightline.errors import Unavailable

Labels = frozenset[tuple[str, str]]
_GROWS = ("_total", "_bucket", "_count", "_sum")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many observations fell at or below each of `bounds` (ascending, the last infinite) and above the one
    before it, and the `sum` of all."""

    bounds: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    sum: float = 0.0

    @property
    def count(self) -> float:
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """None without observations."""
        return self.sum / self.count if self.count else None

    @property
    def largest(self) -> float | None:
        """The bound of the highest bucket with observations; None without any."""
        return max((bound for bound, count in zip(self.bounds, self.counts, strict=True) if count), default=None)

    def quantile(self, q: float) -> float | None:
        """The estimate of Prometheus' `histogram_quantile`: linear between the bounds of the bucket that holds the
        quantile, the largest finite bound where it lies above all of them. None without observations."""
        rank, below = q * self.count, 0.0
        for index, (bound, count) in enumerate(zip(self.bounds, self.counts, strict=True)):
            if count and below + count >= rank:
                lower = self.bounds[index - 1] if index else 0.0
                return lower if math.isinf(bound) else lower + (bound - lower) * max(0.0, rank - below) / count
            below += count
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """The samples of one scrape: by name, then by labels."""

    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)

    def series(self, name: str, **labels: str) -> dict[Labels, float]:
        """The samples of this name whose labels are these, among others."""
        wanted = labels.items()
        return {key: value for key, value in self.samples.get(name, {}).items() if wanted <= dict(key).items()}

    def total(self, name: str, **labels: str) -> float:
        """The sum of those samples."""
        return sum(self.series(name, **labels).values())

    def one(self, name: str) -> float | None:
        """The sample of a name without labels."""
        return self.samples.get(name, {}).get(frozenset())

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The sums by the values of one label, in alphabetical order."""
        sums: dict[str, float] = {}
        for key, value in self.series(name, **labels).items():
            group = dict(key).get(label, "")
            sums[group] = sums.get(group, 0.0) + value
        return dict(sorted(sums.items()))

    def histogram(self, name: str, **labels: str) -> Histogram:
        """All histograms of this name and these labels as one."""
        upto = {float(le): count for le, count in self.by(f"{name}_bucket", "le", **labels).items()}
        bounds = sorted(upto)
        counts = [upto[bound] - (upto[bounds[index - 1]] if index else 0.0) for index, bound in enumerate(bounds)]
        return Histogram(tuple(bounds), tuple(counts), self.total(f"{name}_sum", **labels))

    def without(self, label: str, values: Collection[str]) -> Reading:
        """All samples but those that have one of these values of a label."""
        kept = {
            name: {key: value for key, value in samples.items() if dict(key).get(label) not in values}
            for name, samples in self.samples.items()
        }
        return Reading(kept)

    def since(self, older: Reading) -> Reading:
        """What counters and histograms gained since an older reading; everything else as it is now. What became
        smaller began anew: then all of it is new."""
        gained = dict(self.samples)
        for name, samples in self.samples.items():
            before = older.samples.get(name, {})
            if name.endswith(_GROWS):
                gained[name] = {
                    key: value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value
                    for key, value in samples.items()
                }
        return Reading(gained)


def parse(text: str) -> Reading:
    """The samples of Prometheus' text format. Raises `Unavailable` where the text is something else."""
    samples: dict[str, dict[Labels, float]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = float(sample.value)
    except (ValueError, KeyError, IndexError, TypeError):
        raise Unavailable("the reply is not in Prometheus' text format") from None
    return Reading(samples)
