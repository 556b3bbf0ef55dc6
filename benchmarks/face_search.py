"""Adding and searching known faces: time, memory and recall by number of faces, for each store.

    python benchmarks/face_search.py [--faces 10000 100000 1000000] [--stores sqlite postgres usearch]

Faces are drawn so that their vectors spread as those of dlib's face network on LFW do (128 numbers, ten faces a
person); a query is another face of someone who is there, and asks for ten. `sqlite` and `postgres` are the product's
own stores, through their whole interface; PostgreSQL is started by the package `pgserver`. `usearch` is that library's
HNSW index alone, without a store around it, for comparison. Each line is measured in a process of its own.

Columns: `add` seconds to store all faces, a thousand at a time; `one` median milliseconds to add one more; `first`
milliseconds of the first search, which makes what searching needs; `p50` and `p99` milliseconds a search; `recall` the
share of the ten nearest that were found; `memory` MB that the process (for PostgreSQL: the server's processes) came to
hold, file-backed pages included; `disk` MB of all files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sightline.collections.base import Calibration, Embedding, EmbeddingModel, NewFace, RelativeBox
from sightline.collections.open import open_store

DIMENSION, ALIVE, A_PERSON, WANTED, SINGLES = 128, 80, 10, 10, 50
MODEL = EmbeddingModel("benchmark", "1", "0" * 64, DIMENSION)
COLUMNS = ("store", "faces", "add s", "one ms", "first ms", "p50 ms", "p99 ms", "recall", "memory MB", "disk MB")


def draw(count: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces, and other faces of some of the same people."""
    chance = np.random.default_rng(1)
    rank = np.arange(1.0, ALIVE + 1)
    between, within = rank**-0.8, rank**-0.5
    between *= 0.24 / between.sum()
    within *= 0.09 / within.sum()
    people = chance.standard_normal((-(-count // A_PERSON), ALIVE)) * np.sqrt(between)
    centre = np.zeros(DIMENSION)
    centre[-1] = 1.3

    def faces(of: np.ndarray) -> np.ndarray:
        made = np.tile(centre.astype(np.float32), (len(of), 1))
        made[:, :ALIVE] = people[of] + chance.standard_normal((len(of), ALIVE)) * np.sqrt(within)
        return made

    return faces(np.arange(count) // A_PERSON), faces(chance.integers(0, len(people), queries))


def memory(pids: list[int]) -> float:
    """MB of these processes, each shared page counted once."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
        except FileNotFoundError:
            continue
    return found


def disk(folder: Path) -> float:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def truth(faces: np.ndarray, queries: np.ndarray) -> list[set[int]]:
    """The ten nearest of each query."""
    squares = np.einsum("ij,ij->i", faces, faces)
    return [set(np.argpartition(squares - 2 * (faces @ query), WANTED)[:WANTED].tolist()) for query in queries]


def summary(
    store: str, faces: np.ndarray, queries: np.ndarray, search: Callable[[np.ndarray], set[int]]
) -> dict[str, Any]:
    """First search, then all of them, timed and compared with what is true."""
    first, _ = timed(lambda: search(queries[0]))
    answers = [timed(lambda query=query: search(query)) for query in queries]
    times = np.array([seconds for seconds, _ in answers]) * 1000
    right = [len(found & nearest) for (_, found), nearest in zip(answers, truth(faces, queries), strict=True)]
    return {
        "store": store,
        "faces": f"{len(faces):,}",
        "first ms": f"{first * 1000:.0f}",
        "p50 ms": f"{np.percentile(times, 50):.1f}",
        "p99 ms": f"{np.percentile(times, 99):.1f}",
        "recall": f"{sum(right) / WANTED / len(queries):.4f}",
    }


def face(vector: np.ndarray) -> NewFace:
    return NewFace(vector, str(uuid.uuid4()), RelativeBox(0.25, 0.25, 0.5, 0.5), 0.9)


def with_store(kind: str, faces: np.ndarray, queries: np.ndarray, folder: Path) -> dict[str, Any]:
    if kind == "postgres":
        import pgserver

        server = pgserver.get_server(folder / "data")
        url, postmaster = server.get_uri(), int((folder / "data" / "postmaster.pid").read_text().split()[0])
    else:
        url = f"sqlite:{folder / 'faces.db'}"
    store = open_store(url)
    store.collections.create("all", MODEL, Calibration(0.6, 50.0, "benchmark"))
    place: dict[str, int] = {}
    before = memory([os.getpid()])

    def add(start: int, count: int) -> None:
        stored = store.faces.add("all", MODEL, [face(vector) for vector in faces[start : start + count]])
        place.update((item.face_id, index) for index, item in enumerate(stored, start))

    took, _ = timed(lambda: [add(start, 1000) for start in range(0, len(faces), 1000)])
    # Somebody far from every query: these are not to be found.
    far = -faces[:SINGLES]
    one = [timed(lambda vector=vector: store.faces.add("all", MODEL, [face(vector)]))[0] for vector in far]

    def search(query: np.ndarray) -> set[int]:
        matches = store.faces.search("all", Embedding(query, MODEL), WANTED)
        return {place.get(match.face.face_id, -1) for match in matches}

    row = summary(kind, faces, queries, search)
    held = memory([postmaster, *children(postmaster)]) if kind == "postgres" else memory([os.getpid()]) - before
    row |= {"add s": f"{took:.1f}", "one ms": f"{np.median(one) * 1000:.1f}"}
    row |= {"memory MB": f"{held:.0f}", "disk MB": f"{disk(folder):.0f}"}
    store.close()
    if kind == "postgres":
        server.cleanup()
    return row


def with_usearch(faces: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    from usearch.index import Index

    before = memory([os.getpid()])
    index = Index(ndim=DIMENSION, metric="l2sq", dtype="f32")
    took, _ = timed(lambda: index.add(np.arange(len(faces)), faces))
    row = summary("usearch", faces, queries, lambda query: set(index.search(query, WANTED).keys.tolist()))
    return row | {"add s": f"{took:.1f}", "memory MB": f"{memory([os.getpid()]) - before:.0f}"}


def one_line(kind: str, count: int, queries: int) -> dict[str, Any]:
    faces, asked = draw(count, queries)
    if kind == "usearch":
        return with_usearch(faces, asked)
    with tempfile.TemporaryDirectory(prefix="faces") as folder:
        return with_store(kind, faces, asked, Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--stores", nargs="+", choices=["sqlite", "postgres", "usearch"], default=["sqlite", "postgres"]
    )
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(one_line(arguments.stores[0], arguments.faces[0], arguments.queries)))
        return
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for count in arguments.faces:
        for kind in arguments.stores:
            chosen = ["--alone", "--faces", str(count), "--stores", kind, "--queries", str(arguments.queries)]
            run = subprocess.run([sys.executable, __file__, *chosen], stdout=subprocess.PIPE, check=True)
            row = json.loads(run.stdout.splitlines()[-1])
            print("| " + " | ".join(row.get(column, "-") for column in COLUMNS) + " |", flush=True)


if __name__ == "__main__":
    main()
