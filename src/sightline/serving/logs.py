"""The log: text for people, or JSON for machines, one line an event. Never the content of a request, its keys, its
path or its query."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from sightline.serving.record import Record


def configure(log_format: str, stream: TextIO = sys.stderr) -> None:
    """Send this process's log to `stream`, as `text` or `json`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # A collector that is away is told once a batch, not at each of several tries.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, and a request's members, or `logger` and `message`."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        members: dict[str, Any] = {"time": when.replace("+00:00", "Z"), "level": record.levelname.lower()}
        if isinstance(record.msg, Line):
            members |= record.msg.members()
        else:
            members |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, separators=(",", ":"))


class Line:
    """The line of one request: its text is made only where text is logged."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def members(self) -> dict[str, Any]:
        """What is told, in the order it is told; what does not apply is left out."""
        told = self._record
        members = {
            "id": told.request_id,
            "method": told.method,
            "route": told.route,
            "status": told.status,
            "ms": round(told.seconds * 1000, 2),
            "bytes_in": told.bytes_in,
            "bytes_out": told.bytes_out,
            "task": told.task,
            "code": told.code,
            "model": told.model and f"{told.model.name} {told.model.version}",
            "stages_ms": told.stage_ms() or None,
            "trace_id": told.trace_id,
        }
        return {name: value for name, value in members.items() if value is not None}

    def __str__(self) -> str:
        told = self._record
        parts = [f"{told.method} {told.route} {told.status} {told.seconds * 1000:.1f} ms"]
        parts.append(f"{told.bytes_in} bytes in, {told.bytes_out} out")
        parts += [f"{name}={value}" for name, value in (("task", told.task), ("code", told.code)) if value]
        parts += [f"{name}={ms:g}" for name, ms in told.stage_ms().items()]
        return " ".join([*parts, f"id={told.request_id}"])
