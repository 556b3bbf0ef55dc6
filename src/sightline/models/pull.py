"""Bring one card's files into a folder: resumed, checked while they arrive, and by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sightline.errors import ChecksumMismatch, InvalidCard, ModelMissing, Offline, SourceFailed
from sightline.models import importers
from sightline.models.card import Card, Convert, WeightsFile
from sightline.models.sources.registry import Sources

LOCK = "lock.json"
"""What a conversion wrote and from what, so that derived files can be checked as well."""


class Progress(Protocol):
    """Told how far a file has come, in bytes; the first call for a file may be above 0 where it resumes."""

    def __call__(self, file: str, done: int, total: int | None) -> None: ...


def pull(
    card: Card, folder: Path, places: Mapping[str, Path], *, offline: bool = False, progress: Progress | None = None
) -> None:
    """Make every file of `card` lie at its place with the right hash, then convert where the card asks for it.

    `places` says where each file belongs, by name; those outside `folder` (shipped or in an installed package) are
    read and never written. What is there already and right is left as it is, so a second process that waited for the
    first has nothing to do. Raises `Offline`, `SourceFailed`, `ChecksumMismatch`, `ModelMissing` (the folder cannot
    be written) and `InvalidCard`.
    """
    # Imported here: a process whose weights are all there need not wait for it.
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The system drops the lock when its holder dies, so a killed pull blocks nobody.
        with FileLock(folder / ".lock"), Sources(card.directory) as sources:
            for file in card.files:
                place = places[file.path]
                if place.parent == folder and sha256_of(place) != file.sha256:
                    if file.source is None:
                        raise InvalidCard(f"{file.path} of {card.name} has no source to be pulled from")
                    if offline and sources.needs_network(file.source):
                        raise Offline(f"{file.path} of {card.name} would have to be pulled, and this is offline")
                    _fetch(file, file.source, place, sources, progress)
            if card.convert is not None and derived_problem(card, card.convert, folder) is not None:
                _convert(card, card.convert, folder, places)
    except OSError as error:
        raise ModelMissing(
            f"cannot write {card.name} to {folder}: {error.strerror or error}; SIGHTLINE_CACHE names another place"
        ) from None


def sha256_of(path: Path) -> str | None:
    """The hash of a file in hexadecimal, None where there is no such file. Raises `ModelMissing` if unreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelMissing(f"cannot read {path}: {error.strerror}") from None


def derived_problem(card: Card, convert: Convert, folder: Path) -> str | None:
    """What is wrong with the file that a conversion wrote, or None: it is there, whole, and made of these files."""
    output = convert.output
    found = sha256_of(folder / output)
    if found is None:
        return f"{output} is missing"
    try:
        lock = json.loads((folder / LOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return f"{LOCK}, which vouches for {output}, is missing or unreadable"
    recipe = _recipe(card, convert)
    if not isinstance(lock, dict) or any(lock.get(key) != value for key, value in recipe.items()):
        return f"{output} was converted from other files or by another version of the importer"
    derived = lock.get("derived")
    if not isinstance(derived, dict) or derived.get(output) != found:
        return f"{output} has sha256 {found}, which is not what the conversion wrote"
    return None


def _fetch(file: WeightsFile, source: str, place: Path, sources: Sources, progress: Progress | None) -> None:
    """Download to a `.part` beside the place, and move it there when its hash is right. A broken stream is taken up
    once more; a part that turns out wrong after resuming may have been old, so it is tried once more from nothing."""
    part = place.with_name(f"{place.name}.part")
    for last in (False, True):
        resumed = part.exists()
        try:
            _stream(file, source, part, sources, progress)
            os.replace(part, place)
            return
        except _Broken as error:
            if last:
                raise SourceFailed(f"{file.path}: {error}") from None
        except ChecksumMismatch:
            part.unlink(missing_ok=True)
            if last or not resumed:
                raise


class _Broken(Exception):
    """The stream ended early; what came is kept."""


def _stream(file: WeightsFile, source: str, part: Path, sources: Sources, progress: Progress | None) -> None:
    digest, done = hashlib.sha256(), 0
    with part.open("ab+") as target:
        target.seek(0)
        while chunk := target.read(1 << 20):
            digest.update(chunk)
            done += len(chunk)
        if done < file.size:
            download = sources.open(source, done)
            if download.offset != done:  # this place cannot resume
                target.truncate(0)
                digest, done = hashlib.sha256(), 0
            if progress is not None:
                progress(file.path, done, file.size)
            try:
                for chunk in download.chunks:
                    done += len(chunk)
                    if done > file.size:  # nobody may fill the disk
                        break
                    digest.update(chunk)
                    target.write(chunk)
                    if progress is not None:
                        progress(file.path, done, file.size)
            except SourceFailed as error:
                raise _Broken(str(error)) from None
    if done < file.size:
        raise _Broken(f"the source ended after {done} of {file.size} bytes")
    if done > file.size:
        raise ChecksumMismatch(f"{file.path} is larger than the {file.size} bytes that its card states")
    if digest.hexdigest() != file.sha256:
        raise ChecksumMismatch(f"{file.path} came with sha256 {digest.hexdigest()}; its card says {file.sha256}")


def _convert(card: Card, convert: Convert, folder: Path, places: Mapping[str, Path]) -> None:
    output = convert.output
    part, lock = folder / f"{output}.part", folder / f"{LOCK}.part"
    try:
        importers.find(convert.importer).convert({file.path: places[file.path] for file in card.files}, part)
        lock.write_text(
            json.dumps({**_recipe(card, convert), "derived": {output: sha256_of(part)}}, indent=1) + "\n", "utf-8"
        )
        # The output first: a lock that vouches for an absent or older file would only be found wrong and made again.
        os.replace(part, folder / output)
        os.replace(lock, folder / LOCK)
    finally:
        part.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)


def _recipe(card: Card, convert: Convert) -> dict[str, object]:
    """All that decides what a conversion writes."""
    return {
        "importer": convert.importer,
        "revision": importers.revision(convert.importer),
        "files": {file.path: file.sha256 for file in card.files},
    }
