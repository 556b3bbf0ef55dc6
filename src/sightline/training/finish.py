"""What every recipe does after learning: export, plots, card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from . import plots
from .card import write_card
from .export import export, sha256
from .order import Order, Outcome

__all__ = ["finish", "write_file"]


def write_file(model: nn.Module, example: Tensor, order: Order, outputs: tuple[str, ...]) -> tuple[Path, float]:
    """Exports to ``out/model.onnx``; returns its path and the largest difference to PyTorch."""
    path = order.out / "model.onnx"
    return path, export(model, example, path, outputs=outputs)


def finish(
    order: Order, facts: Mapping[str, Any], path: Path, parity: float, figures: Sequence[Mapping[str, Any]]
) -> Outcome:
    """Draws the curves and writes ``out/card.toml``, a card as the store reads it (``docs/cards.md``)."""
    plots.curves(order.out / "log.jsonl", order.out / "curves.png")
    card = order.out / "card.toml"
    write_card(card, _card(dict(facts), path, parity, figures))
    return Outcome(order.out, path, card, parity, tuple(figures))


def _card(facts: dict[str, Any], path: Path, parity: float, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A recipe's facts as the members of a card; what only its architecture knows of becomes ``[options]``."""
    shape = dict(facts.pop("input"))
    width, height = shape.pop("size")
    known = {
        "name": facts.pop("name"),
        "version": facts.pop("version"),
        "tasks": [facts.pop("task")],
        "architecture": facts.pop("architecture"),
        "engine": "onnx",
        "summary": f"Trained by this project's recipe after {facts.pop('paper')}.",
        "training_data": facts.pop("training_data"),
        "labels": list(facts.pop("labels")),
        "licence": {
            "spdx": facts.pop("spdx", "Apache-2.0"),
            "holder": facts.pop("holder", "Sightline"),
            "research_only": facts.pop("research_only"),
            "note": facts.pop("licence"),
        },
        "input": {
            "width": width,
            "height": height,
            "layout": shape.pop("layout"),
            "colour": {"grey": "L"}.get(shape["colour"], shape.pop("colour")),
            "mean": shape.pop("mean"),
            "scale": shape.pop("scale"),
        },
        "thresholds": dict(facts.pop("thresholds", {})),
    }
    shape.pop("colour", None)
    options = {**facts, **{f"input_{key}": value for key, value in shape.items()}, "parity": float(f"{parity:.2g}")}
    file = {"path": path.name, "sha256": sha256(path), "size": path.stat().st_size}
    kept = ("dataset", "metric", "value", "n", "command")
    return {
        **known,
        "options": options,
        "files": [file],
        "figures": [{key: figure[key] for key in kept} for figure in figures],
    }
