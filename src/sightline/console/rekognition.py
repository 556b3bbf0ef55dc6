"""`sightline rekognition ...`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from sightline.protocols.rekognition.model import service_model
from sightline.protocols.rekognition.operations import HANDLERS


def operations(as_json: bool, as_markdown: bool) -> None:
    """Print which operations work."""
    if as_json:
        members = [
            {"name": name, "works": name in HANDLERS, "answer": _said(name), "note": _note(name)} for name in _names()
        ]
        print(json.dumps({"operations": members}))
    elif as_markdown:
        print(markdown(), end="")
    else:
        table = Table("operation", "works", "answer", "where it differs", box=None, pad_edge=False)
        for name in _names():
            table.add_row(name, "yes" if name in HANDLERS else "no", _said(name), _note(name))
        Console().print(table)


def markdown() -> str:
    """The list that `docs/rekognition.md` ends in."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    working = [name for name in _names() if name in HANDLERS]
    others = [name for name in _names() if name not in HANDLERS]
    yield f"{len(working)} of the {len(working) + len(others)} operations of the service model work:"
    yield ""
    yield "| operation | answer | where it differs |"
    yield "|---|---|---|"
    yield from (f"| `{name}` | {_said(name)} | {_note(name)} |" for name in working)
    yield ""
    yield "The others answer that they are not implemented:"
    yield ""
    yield ", ".join(f"`{name}`" for name in others) + "."


def _names() -> list[str]:
    # Those that the botocore at hand has forgotten would not be reachable.
    return sorted(service_model().operations)


def _said(name: str) -> str:
    """The handler's own description, in one line."""
    return " ".join((HANDLERS[name].answer.__doc__ or "").split()) if name in HANDLERS else ""


def _note(name: str) -> str:
    return HANDLERS[name].note if name in HANDLERS else ""
