"""Naming pictures, on class folders."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InvalidOption, SightlineError
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.images.decode import read
from sightline.models.card import Card
from sightline.tasks.classify import Classify

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
NONE = "none_of_these"
"""The folder of pictures that show none of the labels."""


def evaluate(task: Classify, data: Path, workers: int, progress: Progress = nothing) -> dict[str, Any]:
    """How often the right label is the first, or among the first five, on `data/LABEL/*`.

    A folder is named like a label (case, `_` and `-` do not count) or like its entry in the card's option `ids`. A
    picture that the model takes for none of its labels counts as wrong; `rejected` is the share of those, and
    `top1_unrejected` the accuracy had nothing been rejected. Pictures in a folder `none_of_these` are right where the
    model says so (`none_found`), and are not in `n`. `top1_interval` is Wilson's, at 95%.
    """
    places = _places(task.card)
    items: list[tuple[Path, int | None]] = []
    reasons: dict[str, str] = {}
    for part in sorted(path for path in folder(data).iterdir() if path.is_dir()):
        files = sorted(path for path in part.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        wanted = places.get(_plain(part.name))
        if wanted is None and part.name != NONE:
            reasons |= {f"{part.name}/{path.name}": f"no label is called {part.name}" for path in files}
            continue
        items += [(path, wanted) for path in files]
    if not any(wanted is not None for _, wanted in items):
        raise InvalidOption(f"{data} has no folders with pictures that are named like labels of {task.card.name}")

    def ask(item: tuple[Path, int | None]) -> tuple[int, bool] | SightlineError:
        try:
            named = task.labeller.classify(read(item[0], settings=task.settings, enough=task.enough).pixels)
        except SightlineError as error:
            return error
        strange = named.distance is not None and named.distance > task.card.threshold("distance")
        order = np.argsort(-named.confidences, kind="stable")
        return (int(np.flatnonzero(order == item[1])[0]) if item[1] is not None else -1), strange

    ranks: list[tuple[int, int, bool]] = []
    strangers: list[bool] = []
    for (path, wanted), got in in_threads(ask, items, workers, progress):
        if isinstance(got, SightlineError):
            reasons[f"{path.parent.name}/{path.name}"] = got.code
        elif wanted is None:
            strangers.append(got[1])
        else:
            ranks.append((wanted, *got))
    if not ranks:
        raise InvalidOption(f"no picture of {data} could be judged")
    return {**_figures(task.card, ranks), **_none(strangers), "skipped": skipped(reasons)}


def _figures(card: Card, ranks: list[tuple[int, int, bool]]) -> dict[str, Any]:
    truth, place = (np.array([row[column] for row in ranks]) for column in (0, 1))
    accepted = ~np.array([row[2] for row in ranks])
    first = (place == 0) & accepted
    recalls = {card.labels[label]: round(float(first[truth == label].mean()), 4) for label in np.unique(truth)}
    return {
        "top1": round(float(first.mean()), 5),
        "top5": round(float(((place < 5) & accepted).mean()), 5),
        "top1_interval": [round(bound, 4) for bound in wilson(int(first.sum()), len(ranks))],
        "top1_unrejected": round(float((place == 0).mean()), 5),
        "rejected": round(float((~accepted).mean()), 5),
        "recall": recalls,
        "labels": len(card.labels),
        "n": len(ranks),
    }


def _none(strangers: list[bool]) -> dict[str, Any]:
    if not strangers:
        return {}
    return {"none_found": round(float(np.mean(strangers)), 5), "n_none": len(strangers)}


def wilson(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share: `right` of `count` (Wilson 1927)."""
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _places(card: Card) -> dict[str, int]:
    """Where each name of a label is among the outputs."""
    ids = card.options.get("ids", ())
    return {_plain(str(name)): place for names in (ids, card.labels) for place, name in enumerate(names)}


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
