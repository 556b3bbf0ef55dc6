"""Expression recognition on class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InvalidOption, SightlineError
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.images.decode import read
from sightline.images.geometry import resize
from sightline.tasks.emotion import EMOTIONS, Emotion

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def evaluate(
    task: Emotion, data: Path, workers: int, progress: Progress = nothing, *, crops: bool = False
) -> dict[str, Any]:
    """Accuracy, and its mean over classes, on `data/<class>/*`.

    With `crops` each picture is a face crop and goes straight to the network; else the largest face that the
    detector finds is judged, and a picture without one is skipped.
    """
    items = [
        (path, EMOTIONS.index(name))
        for name in EMOTIONS
        if (data / name).is_dir()
        for path in sorted((data / name).iterdir())
        if path.suffix.lower() in _SUFFIXES
    ]
    if not items:
        raise InvalidOption(f"{folder(data)} has no folders called {', '.join(EMOTIONS)}")
    reasons: dict[str, str] = {}
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)

    def ask(item: tuple[Path, int]) -> str | SightlineError:
        try:
            return _of_crop(task, item[0]) if crops else _of_photo(task, item[0])
        except SightlineError as error:
            return error

    for (path, wanted), got in in_threads(ask, items, workers, progress):
        if isinstance(got, SightlineError):
            reasons[f"{path.parent.name}/{path.name}"] = got.code
        else:
            confusion[wanted, EMOTIONS.index(got)] += 1
    counts = confusion.sum(axis=1)
    if not counts.any():
        raise InvalidOption(f"no picture of {data} could be judged")
    present = counts > 0
    recalls = confusion.diagonal()[present] / counts[present]
    return {
        "accuracy": round(float(confusion.diagonal().sum() / counts.sum()), 5),
        "balanced_accuracy": round(float(recalls.mean()), 5),
        "recall": {
            name: round(float(r), 4) for name, r in zip(np.array(EMOTIONS)[present].tolist(), recalls, strict=True)
        },
        "n": int(counts.sum()),
        "skipped": skipped(reasons),
    }


def _of_crop(task: Emotion, path: Path) -> str:
    spec = task.card.input
    crop = resize(read(path).pixels, spec.width, spec.height)
    row = task.classifier.scores(crop[None])[0]
    return task.card.labels[int(np.argmax(row))]


def _of_photo(task: Emotion, path: Path) -> str:
    faces = task(path).faces
    if not faces:
        from sightline.errors import NoFace

        raise NoFace("no face")
    return max(faces, key=lambda found: found.face.box.area).emotion
