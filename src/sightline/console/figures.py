"""`sightline evaluate`."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.progress import Progress as Bar

from sightline.console.loading import load_task
from sightline.errors import InvalidOption
from sightline.evaluation import classify, detect, emotion, faces, masks, pose, segment, similarity
from sightline.settings import Settings
from sightline.tasks.classify import Classify
from sightline.tasks.detect import Detect
from sightline.tasks.emotion import Emotion
from sightline.tasks.faces import Faces
from sightline.tasks.pose import Pose
from sightline.tasks.segment import Segment
from sightline.tasks.similarity import Similarity


def run(
    name: str,
    data: Path,
    *,
    model: str | None,
    protocol: Path | None,
    shown: emotion.Shown,
    without: Path | None,
    held_out: int | None,
    detector: str | None,
    tiles: bool,
    boxes: pose.Boxes,
    as_json: bool,
) -> None:
    """Measure a task and print one object of figures. Raises `InvalidOption` for data that does not fit."""
    workers = os.cpu_count() or 1
    # Every core works on a picture of its own: one thread an inference.
    settings = replace(Settings.from_env(), threads=1)
    task = load_task(name, model, detector, settings)
    started = time.perf_counter()
    with Bar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        row = bar.add_task(f"evaluate {name}")

        def progress(done: int, total: int) -> None:
            bar.update(row, completed=done, total=total)

        if name == "similarity":
            if protocol is None:
                raise InvalidOption("similarity is measured by pairs: name their file with --protocol")
            found = similarity.evaluate(cast(Similarity, task), data, protocol, workers, progress)
        elif name == "faces":
            found = faces.evaluate(cast(Faces, task), data, workers, progress)
        elif name == "emotion":
            found = emotion.evaluate(cast(Emotion, task), data, workers, progress, shown=shown, without=without)
        elif name == "classify":
            found = classify.evaluate(cast(Classify, task), data, workers, progress)
        elif name in ("lungs", "background"):
            found = masks.evaluate(task, data, workers, progress, held_out=held_out)
        elif name == "detect":
            found = detect.evaluate(cast(Detect, task), data, workers, progress, tiles=tiles)
        elif name == "segment":
            found = segment.evaluate(cast(Segment, task), data, workers, progress)
        elif name == "pose":
            found = pose.evaluate(cast(Pose, task), data, workers, progress, boxes=boxes)
        else:
            raise InvalidOption(f"there is no evaluation of {name} yet")
    members = {
        "task": name,
        **found,
        "model": task.identities[0].to_dict(),
        "seconds": round(time.perf_counter() - started, 2),
    }
    if as_json:
        print(json.dumps(members))
        return
    for key, value in members.items():
        print(f"{key:22} {json.dumps(value) if isinstance(value, dict) else value}")
