"""From distances to decisions: below which distance two faces are one person, and how likely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption, SightlineError
from sightline.evaluation.similarity import fit_logistic
from sightline.images.decode import read
from sightline.tasks.similarity import Similarity

from .siamese import Relation

Distance = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], float]

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_MOST_PEOPLE, _MOST_EACH, _LEAST_PAIRS = 100, 8, 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """p(same person) = 1 / (1 + exp(slope * (distance - middle))), and where the numbers are from."""

    middle: float
    slope: float
    origin: str


def from_head(relation: Relation) -> Calibration:
    """What the network's own sigmoid says: its answer is the probability of one person, or that of two."""
    middle = -relation.offset / relation.slope
    never = "" if middle > 0 else ", which takes no two pictures for one person"
    return Calibration(middle, abs(relation.slope), f"the network's own sigmoid{never}")


def from_guess(vectors: npt.NDArray[np.float32], distance: Distance) -> Calibration:
    """Half the median distance of unrelated pictures: a scale, not a measurement."""
    apart = [distance(vectors[i], vectors[j]) for i in range(len(vectors)) for j in range(i)]
    middle = max(float(np.median(apart)) / 2, 1e-6)
    return Calibration(middle, 4 / middle, "a guess: half the median distance of unrelated pictures")


def people_in(folder: Path | None) -> list[list[Path]]:
    """The pictures of each person where the samples are folders of people; empty otherwise."""
    if folder is None:
        return []
    people = [
        sorted(path for path in person.iterdir() if path.suffix.lower() in _SUFFIXES)[:_MOST_EACH]
        for person in sorted(path for path in folder.iterdir() if path.is_dir())[:_MOST_PEOPLE]
    ]
    return [pictures for pictures in people if pictures]


def from_people(task: Similarity, people: list[list[Path]]) -> Calibration:
    """Platt's curve over as many pairs of one person as of two. Raises `InvalidOption` where there are too few."""
    vectors, owners, passed = [], [], 0
    for number, pictures in enumerate(people):
        for path in pictures:
            try:
                vectors.append(task.embed(read(path), path.name))
                owners.append(number)
            except SightlineError:  # no face in it, or no picture
                passed += 1
    pairs = [(i, j) for i in range(len(vectors)) for j in range(i)]
    distances = np.array([task.embedder.distance(vectors[i], vectors[j]) for i, j in pairs])
    same = np.array([owners[i] == owners[j] for i, j in pairs], bool)
    least = int(min(same.sum(), (~same).sum())) if pairs else 0
    if least < _LEAST_PAIRS:
        raise InvalidOption(
            f"the samples give {least} pairs of one kind; {_LEAST_PAIRS} of one person and of two are the least "
            f"({passed} pictures passed over: no face found, or not readable)"
        )
    random = np.random.default_rng(0)
    kinds = (np.flatnonzero(same), np.flatnonzero(~same))
    chosen = np.concatenate([random.choice(kind, least, replace=False) for kind in kinds])
    middle, slope = fit_logistic(distances[chosen], same[chosen])
    if slope <= 0:
        raise InvalidOption(
            "by this model pictures of one person are no nearer than those of two: nothing to calibrate"
        )
    return Calibration(middle, slope, f"{2 * least} pairs of the samples")
