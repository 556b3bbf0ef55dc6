"""The seam between the store and the places that weights come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Download:
    """An open stream of one file's bytes.

    `offset` is where `chunks` starts: 0, or the byte that was asked for where the place can resume.
    `total` is the file's whole size in bytes, None where the place does not say.
    """

    chunks: Iterator[bytes]
    offset: int = 0
    total: int | None = None


class Source(Protocol):
    """One scheme (`pypi:`, `npm:`, `https:`, ...)."""

    network: bool
    """Whether opening needs a socket; offline mode refuses these."""

    def open(self, reference: str, offset: int = 0) -> Download:
        """Start reading the file `reference` (the card's source without its scheme), from `offset` if possible.

        Raises `SourceFailed` with one line that says what to do.
        """
        ...
