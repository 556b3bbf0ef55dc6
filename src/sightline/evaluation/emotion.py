"""Expression recognition on class folders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.errors import InvalidOption, NoFace, SightlineError
from sightline.evaluation.base import Progress, folder, in_threads, nothing, skipped
from sightline.images.decode import Source, read
from sightline.images.geometry import resize
from sightline.images.picture import Pixels
from sightline.tasks.emotion import EMOTIONS, Emotion

Shown = Literal["photos", "crops", "framed"]

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def evaluate(
    task: Emotion,
    data: Path,
    workers: int,
    progress: Progress = nothing,
    *,
    shown: Shown = "photos",
    without: Path | None = None,
) -> dict[str, Any]:
    """Accuracy, and its mean over classes, on `data/<class>/*`.

    `shown` says what the pictures are. Of "photos", the largest face that the detector finds is judged, and a picture
    without one is skipped. "crops" are faces cut out already and go straight to the network. "framed" ones are such
    crops too, enlarged and laid on grey so that the whole pipeline can be measured on them: detector, crop, network.
    Pictures that are pixel for pixel somewhere below the folder `without` are left out.
    """
    known = _pixel_keys(without) if without else set()
    items = [
        (path, EMOTIONS.index(name))
        for name in EMOTIONS
        if (data / name).is_dir()
        for path in sorted((data / name).iterdir())
        if path.suffix.lower() in _SUFFIXES and (not known or _key(path) not in known)
    ]
    if not items:
        raise InvalidOption(f"{folder(data)} has no folders called {', '.join(EMOTIONS)}")
    reasons: dict[str, str] = {}
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)

    def ask(item: tuple[Path, int]) -> str | SightlineError:
        try:
            return _ASKED[shown](task, item[0])
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


def _of_photo(task: Emotion, source: Source) -> str:
    faces = task(source).faces
    if not faces:
        raise NoFace("no face")
    return max(faces, key=lambda found: found.face.box.area).emotion


def _of_framed(task: Emotion, path: Path) -> str:
    return _of_photo(task, frame(read(path).pixels))


_ASKED: dict[Shown, Callable[[Emotion, Path], str]] = {"photos": _of_photo, "crops": _of_crop, "framed": _of_framed}


def frame(pixels: Pixels, longest: int = 160, border: int = 48) -> Pixels:
    """A tight crop enlarged (its longer side to `longest` pixels) and laid on grey: detectors expect some room around
    a face."""
    scale = longest / max(pixels.shape[:2])
    large = resize(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.pad(large, ((border, border), (border, border), (0, 0)), constant_values=128)


def _key(path: Path) -> bytes:
    return hashlib.sha256(read(path).pixels.tobytes()).digest()


def _pixel_keys(below: Path) -> set[bytes]:
    return {_key(path) for path in folder(below).rglob("*") if path.suffix.lower() in _SUFFIXES}
