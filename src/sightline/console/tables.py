"""Tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def bench(rows: list[dict[str, Any]]) -> None:
    """Print what `sightline bench` measured."""
    table = Table("task", "model", box=None, pad_edge=False)
    for heading in ("photo", "median", "of it decoding", "drawing", "first answer", "peak memory"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["task"],
            row["model"]["name"],
            f"{row['pixels']} px",
            f"{row['median_ms']} ms",
            f"{row['decode_ms']} ms",
            f"{row['drawing_ms']} ms",
            f"{row['first_answer_s']} s",
            f"{row['peak_mb_at_first']} MB",
        )
    Console().print(table)
