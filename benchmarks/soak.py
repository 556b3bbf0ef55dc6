"""Soak: many requests, good and bad, against one running server; its memory, its answers and its p99 over the run.

    python benchmarks/soak.py [--requests 100000] [--quick] [--out build/benchmarks]

About half of the requests carry a good photo, most of them small, so that 100,000 do not take a day; the others are
what a public server gets: truncated and empty pictures, texts, bombs, pictures over the limits, wrong options, wrong
media types, unknown tasks. Every wrong one has to get its own code, and the only 5xx allowed is 503 `busy`. Memory is
judged from when the server is warm (after a tenth of the run). Exit code 1 for a wrong answer. Needs Linux.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import random
import struct
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from serving import environments, pictures, report
from serving.environments import SOURCE
from serving.load import Job, Outcome, quantile, run_apart
from serving.pictures import multipart, post
from serving.processes import Server, free_port, memory

CLIENTS = 8
SLICE = 5000
WARM = 0.1
"""The share of the run after which memory should not grow."""


@dataclass(frozen=True)
class Kind:
    """One kind of request: what it is, the answers that are right for it, how often it comes, and its bytes."""

    name: str
    right: tuple[int, ...]
    weight: int
    requests: tuple[bytes, ...]


def kinds() -> list[Kind]:
    """Everything that is sent."""
    small = [_shrunk(data, 320) for data in pictures.photos()]
    jpeg = small[0]
    emotion = "/v1/emotion"
    damaged = [jpeg[: len(jpeg) * share // 10] for share in (1, 3, 5, 7, 9)]
    scrambled = [_scrambled(jpeg, seed) for seed in range(5)]

    def image(data: bytes, **options: str) -> bytes:
        return multipart(emotion, {"image": data, **options})

    return [
        Kind("good photo", (200,), 40, tuple(map(image, small))),
        Kind("good photo, 1280 pixels", (200,), 4, tuple(map(image, pictures.photos()))),
        Kind("good photo, faces", (200,), 8, tuple(multipart("/v1/faces", {"image": data}) for data in small)),
        Kind(
            "good photo, drawn", (200,), 2, (multipart("/v1/faces", {"image": jpeg}, headers=("Accept: image/jpeg",)),)
        ),
        Kind("truncated JPEG", (400,), 10, tuple(map(image, damaged))),
        # Some scrambled pictures still decode: then an answer is right.
        Kind("scrambled JPEG", (200, 400), 8, tuple(map(image, scrambled))),
        Kind("bomb: 20,000 x 20,000 PNG", (413,), 4, (image(_bomb(20_000, 20_000)),)),
        Kind("bomb: 8,100 x 8,100 PNG", (413,), 3, (image(_bomb(8_100, 8_100)),)),
        Kind(
            "text",
            (415,),
            5,
            (image(b"hello, this is no picture"), image(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
        ),
        Kind("empty picture", (400,), 4, (image(b""),)),
        Kind("no picture at all", (400,), 3, (multipart(emotion, {"confidence": "0.5"}),)),
        Kind("21 MB of noise after a JPEG's head", (413,), 1, (image(jpeg[:200] + b"\x5a" * (21 << 20)),)),
        Kind("wrong media type", (415,), 3, (post(emotion, b"a=b", "text/plain"), post(emotion, jpeg, "image/x-none"))),
        Kind("broken JSON", (400,), 3, (post(emotion, b'{"image": {"bytes": ', "application/json"),)),
        Kind("JSON, not base64", (400,), 2, (post(emotion, b'{"image": {"bytes": "%%%"}}', "application/json"),)),
        Kind("wrong option", (400,), 4, (image(jpeg, confidence="7"), image(jpeg, nonsense="1"))),
        Kind("unknown task", (404,), 3, (multipart("/v1/telepathy", {"image": jpeg}),)),
        Kind("wrong method", (405,), 1, (b"PUT /v1/emotion HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",)),
    ]


def mixed(all_kinds: list[Kind], count: int) -> list[int]:
    """`count` requests in a fixed order by chance, as places in the list of all requests of all kinds."""
    chance, starts, start = random.Random(7), {}, 0
    for kind in all_kinds:
        starts[kind.name] = start
        start += len(kind.requests)
    picked = chance.choices(all_kinds, [kind.weight for kind in all_kinds], k=count)
    return [starts[kind.name] + chance.randrange(len(kind.requests)) for kind in picked]


class Scale(threading.Thread):
    """Weighs the server every second while the load runs."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float]] = []
        self._pid, self._stop_it = pid, threading.Event()

    def run(self) -> None:
        while True:
            self.samples.append((time.perf_counter(), memory(self._pid).rss_mb))
            if self._stop_it.wait(1.0):
                return

    def stop(self) -> None:
        self._stop_it.set()
        self.join()


def growth(samples: list[dict[str, float]], warm_after: float) -> dict[str, float]:
    """Resident memory from when the server is warm to the end: the first and the last fifth of that time, medians."""
    after = [sample["rss_mb"] for sample in samples if sample["requests"] >= warm_after] or [samples[-1]["rss_mb"]]
    fifth = max(1, len(after) // 5)
    first, last = sorted(after[:fifth])[fifth // 2], sorted(after[-fifth:])[fifth // 2]
    return {"warm_mb": first, "end_mb": last, "growth": last / first - 1, "most_mb": max(after)}


def judge(outcomes: list[Outcome], picked: list[Kind]) -> tuple[dict[str, int], list[list[str]], dict[str, int]]:
    """Answers by status and code; a table of kinds with what each was answered; and the answers that are wrong."""
    answers: collections.Counter[str] = collections.Counter()
    by_kind: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    wrong: collections.Counter[str] = collections.Counter()
    for outcome in outcomes:
        kind, said = picked[outcome.request], _said(outcome)
        answers[said] += 1
        by_kind[kind.name][said] += 1
        if outcome.status not in kind.right and said != "503 busy":
            wrong[f"{kind.name}: {said}"] += 1
    rows = [
        [name, str(sum(counts.values())), ", ".join(f"{count} x {said}" for said, count in counts.most_common())]
        for name, counts in sorted(by_kind.items(), key=lambda item: -sum(item[1].values()))
    ]
    return dict(answers.most_common()), rows, dict(wrong)


def tenths(outcomes: list[Outcome], picked: list[Kind]) -> list[dict[str, float]]:
    """p50 and p99 of the good photos in each tenth of the run, milliseconds."""
    good = [o for o in outcomes if o.status == 200 and picked[o.request].name == "good photo"]
    size = max(1, len(good) // 10)
    parts = [sorted(o.latency * 1000 for o in good[at : at + size]) for at in range(0, size * 10, size)]
    return [{"p50_ms": quantile(part, 0.5), "p99_ms": quantile(part, 0.99)} for part in parts if part]


def _said(outcome: Outcome) -> str:
    if outcome.status in (0, 200):
        return "200" if outcome.status else f"no answer ({outcome.body.decode()})"
    try:
        return f"{outcome.status} {json.loads(outcome.body)['error']['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{outcome.status} without a code"


def _shrunk(data: bytes, width: int) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.resize((width, image.height * width // image.width)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _scrambled(data: bytes, seed: int) -> bytes:
    chance, out = random.Random(seed), bytearray(data)
    for _ in range(20):
        out[chance.randrange(300, len(out))] = chance.randrange(256)
    return bytes(out)


def _bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that declares many pixels (one bit each, all black)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = b"\0" * (1 + (width + 7) // 8)
    pixels = zlib.compressobj(9)
    content = b"".join(pixels.compress(row) for _ in range(height)) + pixels.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def run(count: int) -> dict[str, Any]:
    """One soak of `count` requests."""
    sent = kinds()
    requests = [request for kind in sent for request in kind.requests]
    picked = [kind for kind in sent for _ in kind.requests]
    order = mixed(sent, count)
    port = free_port()
    command = [sys.executable, "-m", "sightline.cli", "serve", "emotion", "faces", "--port", str(port)]
    with Server(command, port, {"PYTHONPATH": str(SOURCE), "SIGHTLINE_OFFLINE": "1"}) as server:
        server.wait(multipart("/v1/emotion", {"image": pictures.photos()[0]}))
        scale, outcomes, marks, begun = Scale(server.process.pid), [], [], time.perf_counter()
        scale.start()
        # In slices, so that what the load generator keeps does not grow with the run.
        while len(outcomes) < count:
            part = order[len(outcomes) : len(outcomes) + SLICE]
            job = Job(port, requests, CLIENTS, 36_000, 0.0, limit=len(part), order=part)
            result = run_apart(job, outcomes=True)
            outcomes += result.outcomes
            marks.append((time.perf_counter(), len(outcomes)))
            print(f"{len(outcomes):,} of {count:,} answered", file=sys.stderr, flush=True)
        scale.stop()
        seconds = time.perf_counter() - begun
    answers, rows, wrong = judge(outcomes, picked)
    samples = [{"requests": _done(marks, begun, at), "rss_mb": rss} for at, rss in scale.samples]
    parts = tenths(outcomes, picked)
    return {
        "requests": len(outcomes),
        "seconds": seconds,
        "answers": answers,
        "kinds": rows,
        "wrong": wrong,
        "memory": samples,
        "warm_after": count * WARM,
        **growth(samples, count * WARM),
        "tenths": parts,
        "p99_drift": parts[-1]["p99_ms"] / parts[0]["p99_ms"] - 1,
    }


def _done(marks: list[tuple[float, int]], begun: float, at: float) -> float:
    """How many requests were answered at a time, between the marks by proportion."""
    before, done = begun, 0
    for when, count in marks:
        if at <= when:
            return done + (count - done) * (at - before) / (when - before)
        before, done = when, count
    return done


def markdown(told: dict[str, Any]) -> str:
    text = f"{told['requests']:,} requests in {told['seconds'] / 60:.1f} minutes, {CLIENTS} clients.\n\n"
    text += report.table(["what was sent", "requests", "answers"], told["kinds"])
    drift = ", ".join(f"{part['p99_ms']:.0f}" for part in told["tenths"])
    wrong = ", ".join(f"{count} x {name}" for name, count in told["wrong"].items()) or "none"
    rows = [
        ["resident memory, warm", f"{told['warm_mb']:.0f} MB", ""],
        ["at the end", f"{told['end_mb']:.0f} MB", ""],
        ["growth", f"{told['growth']:+.1%}", "yes" if told["growth"] < 0.02 else "no (under 2%)"],
        ["wrong answers", wrong, "no" if told["wrong"] else "yes"],
        ["p99 of good photos, by tenth of the run", f"{drift} ms ({told['p99_drift']:+.0%})", ""],
    ]
    text += "\n" + report.table(["", "measured", "met"], rows)
    return text + ("\nA quick run: no figure of it counts.\n" if told["quick"] else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="500 requests: whether it runs, not how well")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--environments", type=Path, default=environments.default_folder())
    arguments = parser.parse_args()
    told = {**run(500 if arguments.quick else arguments.requests), "quick": arguments.quick}
    report.write(told, "soak", arguments.out, markdown(told), arguments.environments)
    sys.exit(1 if told["wrong"] else 0)


if __name__ == "__main__":
    main()
