"""Writes a model's card: the TOML beside the weights that says what they are and what they can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["figure", "to_toml", "write_card"]


def figure(dataset: str, metric: str, value: float, n: int, command: str, **more: Any) -> dict[str, Any]:
    """One measured number: on what, what, how much, of how many items, and how to get it again."""
    return {
        "dataset": dataset,
        "metric": metric,
        "value": round(float(value), 5),
        "n": int(n),
        "command": command,
        **more,
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    raise TypeError(f"a card cannot hold a {type(value).__name__}")


def to_toml(facts: Mapping[str, Any]) -> str:
    """``facts`` as TOML: plain values first, then a table for each mapping, then lists of tables."""
    plain, tables, lists = [], [], []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n" + "\n".join(f"{k} = {_value(v)}" for k, v in value.items()))
        elif isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            for entry in value:
                lists.append(f"\n[[{key}]]\n" + "\n".join(f"{k} = {_value(v)}" for k, v in entry.items()))
        else:
            plain.append(f"{key} = {_value(value)}")
    return "\n".join([*plain, *tables, *lists]) + "\n"


def write_card(path: Path, facts: Mapping[str, Any]) -> None:
    """Writes ``facts`` to ``path``."""
    path.write_text(to_toml(facts), encoding="utf-8")
