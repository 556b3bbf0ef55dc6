"""How well one mask covers another. Masks are boolean, height x width; distances are in pixels of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def mask_figures(found: Bools, true: Bools) -> dict[str, float]:
    """Dice, Jaccard, sensitivity and specificity of one pair of boolean masks of one shape."""
    hit = int(np.count_nonzero(found & true))
    missed = int(np.count_nonzero(true)) - hit
    extra = int(np.count_nonzero(found)) - hit
    rest = found.size - hit - missed - extra
    union = hit + missed + extra
    return {
        "dice": 2 * hit / (2 * hit + missed + extra) if union else 1.0,
        "jaccard": hit / union if union else 1.0,
        "sensitivity": hit / (hit + missed) if hit + missed else 1.0,
        "specificity": rest / (rest + extra) if rest + extra else 1.0,
    }


def _edge(mask: Bools) -> Bools:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    return np.asarray(mask & (inner == 0), np.bool_)


def _to_edge(edge: Bools) -> npt.NDArray[np.float32]:
    """Distance of each pixel to the nearest edge pixel."""
    distances = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distances, np.float32)


def surface_distances(found: Bools, true: Bools) -> tuple[float, float]:
    """Average symmetric surface distance and 95% Hausdorff distance, in pixels.

    Both directions together. NaN where one of the masks is empty.
    """
    if not found.any() or not true.any():
        return float("nan"), float("nan")
    a, b = _edge(found), _edge(true)
    there, back = _to_edge(b)[a], _to_edge(a)[b]
    both = np.concatenate([there, back])
    return float(both.mean()), float(max(np.percentile(there, 95), np.percentile(back, 95)))


def boundary_f(found: Bools, true: Bools, share: float = 0.0075) -> float:
    """Boundary F-score (Perazzi et al. 2016): edges count as met within ``share`` of the diagonal."""
    reach = max(1.0, share * float(np.hypot(*found.shape)))
    a, b = _edge(found), _edge(true)
    if not a.any() and not b.any():
        return 1.0
    if not a.any() or not b.any():
        return 0.0
    precision = float((_to_edge(b)[a] <= reach).mean())
    recall = float((_to_edge(a)[b] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
