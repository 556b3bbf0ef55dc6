"""The ceiling: decoding, engines and JSON in a loop, no server, every core busy.

    export BENCH_KIND=emotion PYTHONPATH=src:benchmarks/serving/apps
    python benchmarks/serving/raw_loop.py threads|processes WORKERS SECONDS FOLDER

FOLDER holds the encoded pictures. Prints one JSON object: answers a second, and the median of one in milliseconds.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import chosen


@dataclass(frozen=True)
class Lap:
    """What one worker did: the seconds of each answer, and of all of them."""

    took: list[float]
    seconds: float


def loop(predict: Any, pictures: list[bytes], start: Any, seconds: float) -> Lap:
    """Answer the pictures in turn for `seconds` from when everybody has come to `start`."""
    start.wait()
    took: list[float] = []
    begun = before = time.perf_counter()
    while before < begun + seconds:
        json.dumps(predict(pictures[len(took) % len(pictures)]), separators=(",", ":")).encode()
        now = time.perf_counter()
        took.append(now - before)
        before = now
    return Lap(took, before - begun)


def _process(pictures: list[bytes], start: Any, seconds: float, results: Any) -> None:
    predict = chosen()
    predict(pictures[0])
    results.put(loop(predict, pictures, start, seconds))


def processes(workers: int, pictures: list[bytes], seconds: float) -> list[Lap]:
    """A process a worker, each with its own models."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(workers), context.Queue()
    running = [
        context.Process(target=_process, args=(pictures, start, seconds, results), daemon=True) for _ in range(workers)
    ]
    for process in running:
        process.start()
    laps = [results.get(timeout=seconds + 300) for _ in running]
    for process in running:
        process.join()
    return laps


def threads(workers: int, pictures: list[bytes], seconds: float) -> list[Lap]:
    """A thread a worker in one process, sharing the models."""
    predict = chosen()
    start, laps = threading.Barrier(workers), []

    def work() -> None:
        predict(pictures[0])  # a LiteRT interpreter belongs to its thread
        laps.append(loop(predict, pictures, start, seconds))

    running = [threading.Thread(target=work) for _ in range(workers)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return laps


def main() -> None:
    how, workers, seconds, folder = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
    laps = (processes if how == "processes" else threads)(workers, pictures, seconds)
    # Each worker at its own rate: none is cut off in the middle of an answer.
    rate = sum(len(lap.took) / lap.seconds for lap in laps)
    median = statistics.median(one for lap in laps for one in lap.took)
    print(json.dumps({"per_second": rate, "p50_ms": median * 1000}))


if __name__ == "__main__":
    main()
