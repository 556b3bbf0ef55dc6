"""`X-Amzn-SageMaker-Custom-Attributes`: the one header of a caller that reaches the container as it is.

`task=background;color=%23204060`: the task, and its options. Values are percent-encoded where they hold `;`, `%` or
anything that is not ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from sightline.errors import InvalidOption

HEADER = "X-Amzn-SageMaker-Custom-Attributes"
LONGEST = 1024
"""Characters that SageMaker lets through, either way."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """The task that a caller names (None: the only one), and options as text."""

    task: str | None
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str | None) -> Attributes:
        """The attributes of a header. Raises `InvalidOption`."""
        members: dict[str, str] = {}
        for part in (text or "").split(";"):
            if not part.strip():
                continue
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not name:
                raise InvalidOption(f"custom attributes are name=value, apart by semicolons, not {part.strip()[:60]!r}")
            if name in members:
                raise InvalidOption(f"the custom attribute {name[:60]!r} was given twice")
            try:
                members[name] = unquote(value, errors="strict")
            except UnicodeDecodeError:
                raise InvalidOption(f"the custom attribute {name[:60]!r} is not UTF-8, percent-encoded") from None
        return cls(members.pop("task", None), members)
