"""Files on a disk or a share: `file:PATH`, relative paths beginning at the card's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sightline.errors import SourceFailed
from sightline.models.sources.base import Download

_CHUNK = 1 << 20


class FileSource:
    """Reads `base / PATH`; `~` is the user's home folder. Resumes."""

    network = False

    def __init__(self, base: Path = Path()) -> None:
        self._base = base

    def open(self, reference: str, offset: int = 0) -> Download:
        path = self._base / Path(reference).expanduser()
        try:
            stream = path.open("rb")
            total = path.stat().st_size
        except OSError as error:
            raise SourceFailed(f"cannot read {path}: {error.strerror}") from None
        offset = min(offset, total)
        stream.seek(offset)
        return Download(_chunks(stream, path), offset, total)


def _chunks(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    with stream:
        try:
            while chunk := stream.read(_CHUNK):
                yield chunk
        except OSError as error:
            raise SourceFailed(f"cannot read {path}: {error.strerror}") from None
