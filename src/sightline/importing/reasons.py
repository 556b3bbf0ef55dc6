"""What other libraries' errors say, as a part of one line."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: BaseException, most: int = 300) -> str:
    """The error's text without line breaks and terminal colours, at most `most` characters."""
    return " ".join(_COLOUR.sub("", str(error)).split())[:most] or type(error).__name__
