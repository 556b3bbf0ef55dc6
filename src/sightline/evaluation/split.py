"""Which items are held out of training: the same everywhere, so that a figure can be measured again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def held_out(keys: Sequence[str | bytes], parts: int, part: int = 0) -> list[bool]:
    """Which items fall into `part` of `parts`, by a hash of their key.

    A hash and no random draw: the split does not change when items are added, and equal keys (the same patient, the
    same pixels) never end up on both sides.
    """
    raw = [key.encode() if isinstance(key, str) else key for key in keys]
    return [int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % parts == part for key in raw]
