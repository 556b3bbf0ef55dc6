"""Files inside an installed Python package: `package:IMPORT/FILE`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sightline.errors import SourceFailed
from sightline.models.sources.base import Download
from sightline.models.sources.file import FileSource


class PackageSource:
    """Reads from the package's folder. The package is found, not imported: nothing of it runs."""

    network = False

    def open(self, reference: str, offset: int = 0) -> Download:
        return FileSource().open(str(locate(reference)), offset)


def locate(reference: str) -> Path:
    """Where `IMPORT/FILE` lies. Raises `SourceFailed` where the package is not installed or has no such file."""
    name, _, member = reference.partition("/")
    if not name.isidentifier() or not member:
        raise SourceFailed(f"package:{reference} is not of the form package:IMPORT/FILE")
    spec = importlib.util.find_spec(name)  # of a top-level name: this imports nothing
    if spec is None:
        raise SourceFailed(f"the Python package {name} is not installed; install it to have {member}")
    for place in spec.submodule_search_locations or ():
        root = Path(place).resolve()
        path = (root / member).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    raise SourceFailed(f"the installed Python package {name} has no file {member}")
