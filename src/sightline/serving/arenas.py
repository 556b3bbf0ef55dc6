"""The C library's memory pools."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8  # malloc.h of glibc


def limit_arenas(most: int = 2) -> None:
    """Let threads share `most` pools: each keeps the most it ever held, so that one a thread adds up under large bodies
    (`benchmarks/soak.py`). To be called before threads start. Nothing where the C library is another, or where
    `MALLOC_ARENA_MAX` says a number of its own."""
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    try:
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, most)
    except (OSError, AttributeError):
        return
