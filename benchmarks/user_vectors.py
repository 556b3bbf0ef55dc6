"""What should a user's vector be: the mean of their faces' vectors, the nearest face, or the mean distance?

    python benchmarks/user_vectors.py --data lfw_150 [--people 150] [--strangers 250] [--enrolled 1 3 5]

`--data` is a folder of `NAME_0001.jpg` pictures (LFW). Everyone with enough pictures is a user made of the first ones;
their other pictures (five at most), and those of strangers, are searched for among all users. "Spread put back" is what
the stores do (`sightline/collections/user_vector.py`), with the spread measured on the same people.

Columns: `first` the share of users' pictures whose nearest user is the right one; `at 1e-3` and `at 1e-4` the share of
right pairs accepted where that share of wrong pairs is; `right` and `wrong at 80` both shares where similarity is 80 by
the card's own calibration.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

import sightline
from sightline.collections.base import Calibration
from sightline.errors import NoFace
from sightline.evaluation.base import in_threads
from sightline.images.decode import read
from sightline.settings import Settings

PROBES = 5


def distances(probes: np.ndarray, users: np.ndarray, spread: float) -> dict[str, np.ndarray]:
    """From each probe (P x D) to each user (U x K x D), by each way of making one of K faces: P x U."""
    count = users.shape[1]
    each = np.stack([np.linalg.norm(probes[:, None] - users[:, index], axis=2) for index in range(count)])
    if count == 1:
        return {"one face": each[0]}
    mean = np.linalg.norm(probes[:, None] - users.mean(axis=1), axis=2)
    return {
        "mean, spread put back": np.sqrt(np.square(mean) + spread * (1 - 1 / count)),
        "mean": mean,
        "nearest face": each.min(axis=0),
        "mean distance": each.mean(axis=0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--strangers", type=int, default=250)
    parser.add_argument("--enrolled", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    task = sightline.load("similarity", settings=Settings(threads=1))
    calibration = Calibration.of_card(task.card)

    pictures: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(arguments.data.rglob("*.jpg")):
        pictures[path.stem.rpartition("_")[0]].append(path)
    most = max(arguments.enrolled)
    known = [name for name, paths in pictures.items() if len(paths) > most][: arguments.people]
    strangers = [name for name, paths in pictures.items() if len(paths) <= most][: arguments.strangers]
    wanted = [path for name in known for path in pictures[name][: most + PROBES]]
    wanted += [pictures[name][0] for name in strangers]

    def embed(path: Path) -> np.ndarray | None:
        try:
            return task.embed(read(path)).astype(np.float64)
        except NoFace:
            return None

    found = {
        path: vector
        for path, vector in in_threads(embed, wanted, arguments.workers, lambda done, total: None)
        if vector is not None
    }
    vectors = {name: [found[path] for path in pictures[name] if path in found] for name in known}
    known = [name for name in known if len(vectors[name]) > most]
    probes = np.concatenate([vectors[name][most : most + PROBES] for name in known])
    owner = np.concatenate([[index] * len(vectors[name][most : most + PROBES]) for index, name in enumerate(known)])
    others = np.stack([found[pictures[name][0]] for name in strangers if pictures[name][0] in found])
    spread = sum(np.square(np.array(v) - np.mean(v, axis=0)).sum() for v in vectors.values())
    spread /= sum(len(v) - 1 for v in vectors.values())
    print(f"spread {spread:.4f} among one person's faces; the card says {calibration.spread or 'nothing'}")
    print(f"{len(known)} users, {len(probes)} pictures of them, {len(others)} strangers; {task.card.name}")
    print("| faces a user | user's vector | first | at 1e-3 | at 1e-4 | right at 80 | wrong at 80 |")
    print("|" + "---|" * 7)
    for count in arguments.enrolled:
        users = np.stack([vectors[name][:count] for name in known])
        own, strange = distances(probes, users, spread), distances(others, users, spread)
        for name, table in own.items():
            right = table[np.arange(len(owner)), owner]
            mask = np.arange(len(known)) != owner[:, None]
            wrong = np.concatenate([table[mask], strange[name].ravel()])
            at = [f"{(right <= np.quantile(wrong, rate)).mean():.4f}" for rate in (1e-3, 1e-4)]
            near = calibration.distance(80)
            cells = [f"{(table.argmin(axis=1) == owner).mean():.4f}", *at, f"{(right <= near).mean():.4f}"]
            print(f"| {count} | {name} | " + " | ".join(cells) + f" | {(wrong <= near).mean():.4f} |")


if __name__ == "__main__":
    main()
