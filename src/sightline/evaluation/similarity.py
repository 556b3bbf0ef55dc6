"""Face verification by LFW's protocol of ten folds (Huang et al. 2007, "restricted, labelled outside data")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption, NoFace, SightlineError
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.images.decode import read
from sightline.tasks.similarity import Similarity

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of picture names, whether each shows one person, and the fold each belongs to."""

    names: list[tuple[str, str]]
    same: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int64]


def read_pairs(path: Path) -> Pairs:
    """LFW's `pairs.txt`: a line `FOLDS COUNT`, then for each fold COUNT lines `NAME I J` and COUNT lines
    `NAME I OTHER J`. Raises `InvalidOption` naming the line."""
    try:
        lines = path.read_text("utf-8").splitlines()
        folds, count = map(int, lines[0].split())
    except (OSError, ValueError, IndexError) as error:
        raise InvalidOption(f"{path} is not an LFW pairs file: {error}") from None
    if folds < 2 or count < 1:
        raise InvalidOption(f"{path} announces {folds} folds of {count} pairs; two folds of one pair are the least")
    names: list[tuple[str, str]] = []
    same: list[bool] = []
    for number, line in enumerate(lines[1:], 2):
        parts = line.split()
        try:
            if len(parts) == 3:
                names.append((_name(parts[0], parts[1]), _name(parts[0], parts[2])))
            elif len(parts) == 4:
                names.append((_name(parts[0], parts[1]), _name(parts[2], parts[3])))
            elif parts:
                raise ValueError(f"{len(parts)} columns")
            else:
                continue
        except ValueError as error:
            raise InvalidOption(f"{path}, line {number}: {error}") from None
        same.append(len(parts) == 3)
    if len(names) != folds * count * 2:
        raise InvalidOption(f"{path} announces {folds * count * 2} pairs and has {len(names)}")
    return Pairs(names, np.array(same), np.repeat(np.arange(folds), count * 2))


def _name(person: str, number: str) -> str:
    return f"{person}_{int(number):04d}"


def evaluate(
    task: Similarity, data: Path, protocol: Path, workers: int, progress: Progress = nothing
) -> dict[str, Any]:
    """Figures of a similarity task on the pictures of a folder (`NAME_0001.jpg`, flat or in folders by name).

    `accuracy` is the mean over folds, each judged at the threshold that is best on the others; `accuracy_at_threshold`
    is at the card's own. A picture without a face counts as unlike every other, so that nothing drops out.
    """
    pairs = read_pairs(protocol)
    files = {path.stem: path for path in folder(data).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")}
    wanted = sorted({name for pair in pairs.names for name in pair})
    absent = [name for name in wanted if name not in files]
    if absent:
        raise InvalidOption(f"{data} lacks {len(absent)} of the protocol's pictures, {absent[0]} for one")
    reasons: dict[str, str] = {}
    vectors: dict[str, npt.NDArray[np.float32]] = {}

    def embed(name: str) -> npt.NDArray[np.float32] | SightlineError:
        try:
            return task.embed(read(files[name]), name)
        except NoFace as error:
            return error

    for name, result in in_threads(embed, wanted, workers, progress):
        if isinstance(result, SightlineError):
            reasons[name] = result.code
        else:
            vectors[name] = result
    distances = np.array([_distance(task, vectors.get(a), vectors.get(b)) for a, b in pairs.names])
    return figures(distances, pairs, task.card.threshold("distance")) | {
        "n": len(distances),
        "skipped": skipped(reasons),
    }


def _distance(task: Similarity, a: npt.NDArray[np.float32] | None, b: npt.NDArray[np.float32] | None) -> float:
    return float("inf") if a is None or b is None else task.embedder.distance(a, b)


def figures(distances: Floats, pairs: Pairs, card_threshold: float) -> dict[str, Any]:
    """The figures of the distances of these pairs."""
    accuracies, thresholds = [], []
    for fold in np.unique(pairs.fold):
        judged = pairs.fold == fold
        threshold = best_threshold(distances[~judged], pairs.same[~judged])
        thresholds.append(threshold)
        accuracies.append(float(((distances[judged] < threshold) == pairs.same[judged]).mean()))
    middle, slope = fit_logistic(distances, pairs.same)
    return {
        "accuracy": round(float(np.mean(accuracies)), 5),
        "accuracy_std": round(float(np.std(accuracies)), 5),
        "auc": round(auc(distances, pairs.same), 5),
        "tar_at_far_1e-2": round(tar_at_far(distances, pairs.same, 1e-2), 5),
        "tar_at_far_1e-3": round(tar_at_far(distances, pairs.same, 1e-3), 5),
        "threshold": round(float(np.mean(thresholds)), 4),
        "accuracy_at_threshold": round(float(((distances < card_threshold) == pairs.same).mean()), 5),
        "card_threshold": card_threshold,
        "calibration": {"middle": round(middle, 4), "slope": round(slope, 3)},
    }


def best_threshold(distances: Floats, same: npt.NDArray[np.bool_]) -> float:
    """The threshold with the most right answers (a pair is one person below it), the middle of the gap where it
    lies. Pairs at an infinite distance are never one person."""
    order = np.argsort(distances, kind="stable")
    ordered, truth = distances[order], same[order]
    right = np.concatenate([[0], np.cumsum(np.where(truth, 1, -1))])
    # Between equal distances lies no threshold, and above infinity neither.
    apart = np.concatenate([[True], ordered[1:] > ordered[:-1], [np.isfinite(ordered[-1])]])
    index = int(np.argmax(np.where(apart, right, -len(right))))
    if index == 0:
        return float(ordered[0])
    low = ordered[index - 1]
    high = ordered[index] if index < len(ordered) else np.inf
    above = np.nextafter(low, np.inf)
    return float(max((low + high) / 2, above) if np.isfinite(high) else above)


def auc(distances: Floats, same: npt.NDArray[np.bool_]) -> float:
    """The chance that a pair of one person lies nearer than a pair of two (Mann and Whitney 1947)."""
    ranks = _ranks(-distances)
    positive = int(same.sum())
    negative = len(same) - positive
    return float((ranks[same].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], np.float64)


def tar_at_far(distances: Floats, same: npt.NDArray[np.bool_], rate: float) -> float:
    """The share of pairs of one person accepted where at most `rate` of the other pairs are."""
    others = np.sort(distances[~same])
    allowed = int(rate * len(others))
    return float((distances[same] < others[allowed]).mean())


def fit_logistic(distances: Floats, same: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Platt's curve 1 / (1 + exp(slope * (distance - middle))) through distances of any scale, by Newton's method from
    a flat curve: middle, slope. A little ridge keeps it finite where no pair is doubtful."""
    finite = np.isfinite(distances)
    x, y = distances[finite], same[finite].astype(np.float64)
    mean, scale = float(x.mean()), float(x.std()) or 1.0
    design = np.stack([np.ones_like(x), (x - mean) / scale], axis=1)
    ridge = 0.1 * np.eye(2)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, design.T @ (y - p) - ridge @ weights)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    slope = float(-weights[1] / scale)
    return (mean + float(weights[0]) / slope if slope else mean), slope
