"""Judges masks at the size of the original pictures, by their probabilities alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from sightline.evaluation.overlap import boundary_f, mask_figures, surface_distances
from sightline.evaluation.similarity import auc

from .card import figure

__all__ = ["MaskReport", "enlarge", "without_specks"]

Row = dict[str, float]


def enlarge(probabilities: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane of probabilities at ``size`` (height, width), bilinear."""
    return cv2.resize(probabilities, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def without_specks(mask: np.ndarray, share: float = 0.01) -> np.ndarray:
    """``mask`` without parts smaller than ``share`` of the picture, and without holes that small."""
    kept = mask.copy()
    for value in (True, False):
        count, parts, facts, _ = cv2.connectedComponentsWithStats((kept == value).astype(np.uint8), connectivity=4)
        for part in range(1, count):
            if facts[part, cv2.CC_STAT_AREA] < share * mask.size:
                kept[parts == part] = not value
    return kept


class MaskReport:
    """Collects figures picture by picture; means over pictures come out, by group too."""

    def __init__(self, *, surfaces: bool = False, boundary: bool = False, threshold: float = 0.5) -> None:
        self.surfaces, self.boundary, self.threshold = surfaces, boundary, threshold
        self.rows: list[tuple[str, Row]] = []

    def add(self, probabilities: np.ndarray, true: np.ndarray, group: str = "") -> Row:
        """Judges one picture: ``probabilities`` float and ``true`` boolean, height x width."""
        found = probabilities >= self.threshold
        row: Row = mask_figures(found, true)
        if self.surfaces:
            row["auc"] = auc(-probabilities[::2, ::2].ravel(), true[::2, ::2].ravel())
            row["assd"], row["hd95"] = surface_distances(found, true)
            row["dice_without_specks"] = mask_figures(without_specks(found), true)["dice"]
        if self.boundary:
            row["boundary_f"] = boundary_f(found, true)
        self.rows.append((group, row))
        return row

    def figures(self, dataset: str, command: str) -> list[dict[str, Any]]:
        """Figures over all, then by group where there is more than one."""
        groups = sorted({group for group, _ in self.rows})
        parts = {dataset: groups}
        if len(groups) > 1:
            parts |= {f"{dataset}, {group}": [group] for group in groups}
        lines = []
        for name, wanted in parts.items():
            rows = [row for group, row in self.rows if group in wanted]
            for metric in rows[0]:
                lines.append(figure(name, metric, _mean(row[metric] for row in rows), len(rows), command))
        return lines

    def worst(self, metric: str, count: int) -> Sequence[int]:
        """Numbers of the pictures with the lowest ``metric``."""
        return sorted(range(len(self.rows)), key=lambda n: self.rows[n][1][metric])[:count]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
