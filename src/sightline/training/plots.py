"""Pictures of a training run, as PNG: curves, confusion matrix, sample predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

__all__ = ["confusion_matrix", "curves", "mask_samples", "roc", "sheet"]


def _figure(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), dpi=110)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def curves(log: Path, path: Path) -> None:
    """Loss on the left axis, every figure between 0 and 1 on the right one, by epoch."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    figure, axis = _figure(8, 4.5)
    axis.plot([e["epoch"] for e in lines], [e["loss"] for e in lines], color="tab:red", label="loss")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss (training)")
    right = axis.twinx()
    names = sorted({k for e in lines for k in e} - {"epoch", "loss", "rate", "seconds", "valid_loss"})
    for name in names:
        points = [(e["epoch"], e[name]) for e in lines if name in e]
        right.plot(*zip(*points, strict=True), label=name, marker=".", markersize=3)
    right.set_ylabel("held out")
    handles = [pair for a in (axis, right) for pair in zip(*a.get_legend_handles_labels(), strict=True)]
    if handles:
        right.legend(*zip(*handles, strict=True), loc="center right", fontsize=8)
    _save(figure, path)


def confusion_matrix(table: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Rows the true class, columns the predicted one, in shares of the row."""
    shares = table / table.sum(1, keepdims=True).clip(min=1)
    figure, axis = _figure(6, 5.5)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(names)):
        for column in range(len(names)):
            dark = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=dark, fontsize=9)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    _save(figure, path)


def roc(scores: np.ndarray, same: np.ndarray, path: Path) -> None:
    """True accepts over false accepts, on a logarithmic axis."""
    order = np.argsort(-scores, kind="stable")
    truth = same[order].astype(bool)
    far = np.cumsum(~truth) / max(1, (~truth).sum())
    tar = np.cumsum(truth) / max(1, truth.sum())
    figure, axis = _figure(5.5, 4.5)
    axis.semilogx(np.maximum(far, 1e-4), tar)
    axis.set_xlabel("different people taken for the same")
    axis.set_ylabel("same people recognised")
    axis.grid(alpha=0.3)
    _save(figure, path)


def sheet(tiles: Sequence[np.ndarray], captions: Sequence[str], path: Path, columns: int = 8, side: int = 128) -> None:
    """``tiles`` (uint8, grey or RGB, any size) in a grid with a caption under each."""
    rows: list[np.ndarray] = []
    for start in range(0, len(tiles), columns):
        row = []
        for tile, caption in zip(tiles[start : start + columns], captions[start : start + columns], strict=True):
            rgb = cv2.cvtColor(tile, cv2.COLOR_GRAY2RGB) if tile.ndim == 2 else tile
            scale = side / max(rgb.shape[:2])
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            cell = np.full((side + 18, side, 3), 255, np.uint8)
            cell[: small.shape[0], : small.shape[1]] = small
            cv2.putText(cell, caption, (2, side + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
            row.append(cell)
        while len(row) < columns and rows:
            row.append(np.full((side + 18, side, 3), 255, np.uint8))
        rows.append(np.hstack(row))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def mask_samples(
    pictures: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    true: Sequence[np.ndarray],
    captions: Sequence[str],
    path: Path,
) -> None:
    """Pictures with the true outline in green and the predicted one in red."""
    tiles = []
    for picture, ours, theirs in zip(pictures, found, true, strict=True):
        rgb = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture.copy()
        for mask, colour in ((theirs, (0, 220, 0)), (ours, (255, 0, 0))):
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(rgb, outlines, -1, colour, max(1, rgb.shape[0] // 256))
        tiles.append(rgb)
    sheet(tiles, captions, path, columns=6, side=200)
