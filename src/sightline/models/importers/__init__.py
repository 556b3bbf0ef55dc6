"""Importers write the file that an engine loads from files of another format, once, on the machine that pulls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sightline.errors import InvalidCard


class Importer(Protocol):
    """One foreign format."""

    def convert(self, files: Mapping[str, Path], output: Path) -> None:
        """Write `output` from the card's `files` (by name); the same bytes for the same files.

        Raises `ModelError` where a file is not what the importer reads.
        """
        ...


def revision(name: str) -> int:
    """A number that goes up when the importer `name` writes something else for the same files, so that what lies in
    caches is written anew. Raises `InvalidCard`."""
    # Here and not in the importer: each load of a model asks for it, and must not import what conversions need.
    known = {"faceapi": 1, "tfjs": 1, "centernet-tags": 1, "centernet-features": 1}
    if name not in known:
        raise InvalidCard(f"no importer is called {name!r}; there is {', '.join(known)}")
    return known[name]


def find(name: str) -> Importer:
    """The importer that a card calls `name`. Raises `InvalidCard`."""
    if name == "faceapi":
        from sightline.models.importers.faceapi import FaceApiImporter

        return FaceApiImporter()
    if name == "tfjs":
        from sightline.models.importers.tfjs import TfjsImporter

        return TfjsImporter()
    if name in ("centernet-tags", "centernet-features"):
        from sightline.models.importers.centernet import CenterNetFeatures, CenterNetTags

        return CenterNetTags() if name == "centernet-tags" else CenterNetFeatures()
    raise InvalidCard(f"no importer is called {name!r}; there are faceapi, tfjs and the parts of centernet")
