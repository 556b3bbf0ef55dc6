"""Timings of the tasks on this machine: cold start in a fresh process, then the steady state."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sightline.images.encode import encode
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.question import question_fields

SIZES = (640, 1280, 4000)
PHOTO = Path(__file__).parents[1] / "web" / "samples" / "astronaut.jpg"


def run(name: str | None, repeat: int) -> list[dict[str, Any]]:
    """For each task and photo size: medians of `repeat` questions in milliseconds, decoding included and drawing the
    answer apart; and what a fresh process needs to its first answer (seconds, peak resident megabytes).

    Raises `UnknownTask`.
    """
    store = Store(Settings.from_env(), pull=False)
    names = [name] if name else [task for task in registry.TASKS if registry.missing(task, store) is None]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in names:
            for size in SIZES:
                file = Path(folder) / f"{size}.jpg"
                file.write_bytes(photo(size))
                # A process of its own: nothing that another task loaded makes this one look faster.
                command = [sys.executable, "-m", "sightline.evaluation.bench", task, str(file), str(repeat)]
                environment = {**os.environ, "SIGHTLINE_BENCH_START": repr(time.time())}
                out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
                rows.append({"task": task, "pixels": size, **json.loads(out.splitlines()[-1])})
    return rows


def photo(longest: int) -> bytes:
    """The sample portrait on a plain 3:2 canvas of this width, JPEG quality 90."""
    from PIL import Image

    with Image.open(PHOTO) as portrait:
        height = longest * 2 // 3
        scaled = portrait.convert("RGB").resize((round(portrait.width * height / portrait.height), height))
    canvas = Image.new("RGB", (longest, height), scaled.getpixel((2, 2)))
    canvas.paste(scaled, ((longest - scaled.width) // 2, 0))
    return encode(canvas, "JPEG", quality=90)


def _child(name: str, photo: str, repeat: int) -> dict[str, Any]:
    started = float(os.environ["SIGHTLINE_BENCH_START"])
    import sightline

    task = sightline.load(name)
    data = Path(photo).read_bytes()
    pictures = {field.name: data for field in question_fields(task.Question).pictures if field.required}
    task(**pictures)
    first = time.time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    totals, decodes, drawings = [], [], []
    for _ in range(repeat):
        answer = task(**pictures)
        totals.append(answer.timings.total)
        decodes.append(answer.timings.decode)
        begun = time.perf_counter()
        task.drawing(answer, pictures)
        drawings.append((time.perf_counter() - begun) * 1000)
    return {
        "median_ms": round(statistics.median(totals), 1),
        "decode_ms": round(statistics.median(decodes), 1),
        "drawing_ms": round(statistics.median(drawings), 1),
        "first_answer_s": round(first, 2),
        "peak_mb_at_first": round(peak),
        "model": task.identities[0].to_dict(),
        "n": repeat,
    }


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
