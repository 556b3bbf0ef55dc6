"""`sightline collections ...`."""

from __future__ import annotations

import csv
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from sightline.collections.base import Calibration, Collection, EmbeddingModel, Page, Store, Vector
from sightline.collections.calibrate import Measured, calibrate
from sightline.collections.migrate import migrate
from sightline.collections.open import open_store
from sightline.console.loading import load_task
from sightline.errors import InvalidOption, ModelMismatch, SightlineError
from sightline.images.decode import read
from sightline.settings import Settings
from sightline.tasks.similarity import Similarity

_FACE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LABELS = {"1": True, "true": True, "same": True, "0": False, "false": False, "different": False}
_PAGE = 1000
# More pairs than this from the users of a collection narrow no interval that matters, and take memory.
_MOST_PAIRS = 1_000_000

T = TypeVar("T")
Pairs = list[tuple[str, str, bool]]


def show_all(url: str | None, as_json: bool) -> None:
    """Print every collection."""
    with _store(url) as store:
        found = list(_all(store.collections.list))
    if as_json:
        print(json.dumps({"collections": [_members(item) for item in found]}))
        return
    table = Table("collection", "faces", "users", "model", "pictures", box=None, pad_edge=False)
    table.add_column("similarity 80 is", overflow="fold")
    for item in found:
        model, calibration = item.model, item.calibration
        rate = calibration.false_match_rate
        means = f"{calibration.distance(80):.4f}" + (f", false matches {rate:g}" if rate else "")
        kept = "kept" if item.keep_pictures else "-"
        table.add_row(
            item.collection_id, str(item.faces), str(item.users), f"{model.name} {model.version}", kept, means
        )
    Console().print(table)


def recalibrate(
    url: str | None, name: str, pairs: Path | None, users: bool, rate: float, *, dry_run: bool, as_json: bool
) -> None:
    """Measure labelled pairs, and make what they show the collection's calibration unless it is a `dry_run`."""
    if (pairs is None) is not users:
        raise InvalidOption("say where labelled pairs come from: --pairs FILE, or --users")
    with _store(url) as store:
        collection = store.collections.get(name)
        labelled, source = _read_pairs(pairs) if pairs else _pairs_of_users(store, name)
        vectors = _vectors(store, collection, sorted({face for pair in labelled for face in pair[:2]}))
        distances = [np.linalg.norm(vectors[a].astype(np.float64) - vectors[b]) for a, b, _ in labelled]
        same = np.array([label for _, _, label in labelled], bool)
        measured = calibrate(np.array(distances, np.float64), same, rate, source)
        if not dry_run:
            store.collections.calibrate(name, measured.calibration)
    _print(measured, name, dry_run, as_json)


def reembed(url: str | None, name: str, model: str) -> None:
    """Embed the faces of a collection anew with another model."""
    with _store(url) as store, Bar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        store.collections.get(name)
        task = _similarity(model)

        def embed(picture: bytes) -> Vector:
            return task.embed(read(picture))

        wanted = EmbeddingModel.of(task.card.identity, _dimension(task))
        row = bar.add_task(f"migrate {name}")
        count = migrate(
            store,
            name,
            wanted,
            Calibration.of_card(task.card),
            embed,
            lambda done, total: bar.update(row, completed=done, total=total),
        )
    print(f"{name}: {count} faces embedded by {wanted.name} {wanted.version}; calibrated by {task.card.name}'s card")


@contextmanager
def _store(url: str | None) -> Iterator[Store]:
    opened = open_store(url or Settings.from_env().collections)
    try:
        yield opened
    finally:
        opened.close()


def _all(list_page: Callable[[int, str | None], Page[T]]) -> Iterator[T]:
    page = list_page(_PAGE, None)
    yield from page.items
    while page.next is not None:
        page = list_page(_PAGE, page.next)
        yield from page.items


def _members(item: Collection) -> dict[str, Any]:
    return asdict(item) | {"created": item.created.isoformat()}


def _read_pairs(path: Path) -> tuple[Pairs, str]:
    """Lines `FIRST,SECOND,LABEL`: face ids of the collection or pictures (paths from the file's folder), and 1, true
    or same; 0, false or different. A first line without a label is a heading."""
    try:
        rows = [row for row in csv.reader(path.read_text("utf-8").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{path}: {error}") from None
    found: Pairs = []
    for number, row in enumerate(rows, 1):
        label = _LABELS.get(row[-1].strip().lower())
        if len(row) == 3 and label is not None:
            first, second = (_face(value.strip(), path.parent) for value in row[:2])
            found.append((first, second, label))
        elif number > 1:
            raise InvalidOption(f"{path}, line {number}: a pair is FIRST,SECOND,LABEL with a label of 1 or 0")
    return found, f"{len(found)} pairs of {path.name}"


def _face(value: str, folder: Path) -> str:
    return value if _FACE_ID.fullmatch(value) else str(folder / value)


def _pairs_of_users(store: Store, name: str) -> tuple[Pairs, str]:
    """Every pair of faces that are associated with users: of one user, and of two."""
    owners: list[tuple[str, str]] = []
    for user in _all(lambda limit, page: store.users.list(name, limit, page)):
        for face in store.faces.list(name, _PAGE, user_id=user.user_id).items:
            owners.append((face.face_id, user.user_id))
    count = len(owners) * (len(owners) - 1) // 2
    if count > _MOST_PAIRS:
        raise InvalidOption(
            f"{len(owners)} faces of users make {count:,} pairs, more than {_MOST_PAIRS:,}; choose some with --pairs"
        )
    found = [(a, b, one == two) for (a, one), (b, two) in itertools.combinations(owners, 2)]
    return found, f"{len(found)} pairs of {len(owners)} faces of its users"


def _vectors(store: Store, collection: Collection, faces: list[str]) -> dict[str, Vector]:
    """The vectors of faces by id, and of the largest face of pictures by path."""
    pictures = [face for face in faces if not _FACE_ID.fullmatch(face)]
    name = collection.collection_id
    found = {face: store.faces.embedding(name, face).vector for face in faces if _FACE_ID.fullmatch(face)}
    if pictures:
        task = _similarity(collection.model.name)
        if task.card.identity != collection.model.identity:
            raise ModelMismatch(
                f"{name} holds vectors of {collection.model.name} {collection.model.version}, and the one here is "
                f"{task.card.version}: pairs of pictures cannot be measured"
            )
        with Bar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            for path in bar.track(pictures, description="embed"):
                try:
                    found[path] = task.embed(read(Path(path)))
                except SightlineError as error:
                    raise InvalidOption(f"{path}: {error}") from error
    return found


def _similarity(model: str) -> Similarity:
    return cast(Similarity, load_task("similarity", model, None, Settings.from_env()))


def _dimension(task: Similarity) -> int:
    """How many numbers its vectors have: one grey face is embedded to see."""
    spec = task.card.input
    return int(task.embedder.embed(np.full((1, spec.height, spec.width, 3), 128, np.uint8)).shape[1])


def _print(measured: Measured, name: str, dry_run: bool, as_json: bool) -> None:
    members = {"collection": name, "saved": not dry_run, **asdict(measured)}
    if as_json:
        print(json.dumps(members))
        return
    low, high = measured.false_match_interval
    print(f"{name}: similarity 80 is a distance of {measured.threshold:.4f}{' (not saved)' if dry_run else ''}")
    print(f"  false matches  {measured.false_match_rate:.6f} of {measured.different:,} pairs of two people")
    print(f"                 95% confidence interval {low:.6f} to {high:.6f}")
    low, high = measured.true_match_interval
    print(f"  true matches   {measured.true_match_rate:.6f} of {measured.same:,} pairs of one person")
    print(f"                 95% confidence interval {low:.6f} to {high:.6f}")
