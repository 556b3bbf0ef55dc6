"""Figures of merit: labels, masks and verification pairs.

Masks are boolean. Overlaps are means over pictures, never over pooled pixels. Distances are in
pixels of the picture that the masks cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

__all__ = [
    "Verification",
    "area_under_curve",
    "boundary_f",
    "calibration_error",
    "confusion",
    "fit_temperature",
    "mask_figures",
    "soft_dice",
    "surface_distances",
    "verification",
]


def soft_dice(found: Tensor, true: Tensor) -> Tensor:
    """Dice of each pair of masks (batch x ...), 1 where both are empty."""
    found, true = found.flatten(1).float(), true.flatten(1).float()
    both = found.sum(1) + true.sum(1)
    return torch.where(both > 0, 2 * (found * true).sum(1) / both.clamp(min=1), torch.ones_like(both))


def mask_figures(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
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


def _edge(mask: np.ndarray) -> np.ndarray:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    return mask & (inner == 0)


def _to_edge(edge: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest edge pixel."""
    return cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def surface_distances(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Average symmetric surface distance and 95% Hausdorff distance, in pixels.

    Both directions together. NaN where one of the masks is empty.
    """
    if not found.any() or not true.any():
        return float("nan"), float("nan")
    a, b = _edge(found), _edge(true)
    there, back = _to_edge(b)[a], _to_edge(a)[b]
    both = np.concatenate([there, back])
    return float(both.mean()), float(max(np.percentile(there, 95), np.percentile(back, 95)))


def boundary_f(found: np.ndarray, true: np.ndarray, share: float = 0.0075) -> float:
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


def area_under_curve(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties counted half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    truth = truth.astype(bool)
    yes, no = int(truth.sum()), int((~truth).sum())
    if not yes or not no:
        return float("nan")
    return float((ranks[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts, classes x classes: rows the true class, columns the predicted one."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by so that probabilities mean what they say (Guo et al. 2017)."""
    log_t = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], lr=0.1, max_iter=100)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(log_t.detach().exp())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over equal bins."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (places == b).mean() * abs(right[places == b].mean() - confidence[places == b].mean())
        for b in range(bins)
        if (places == b).any()
    ]
    return float(sum(gaps))


@dataclass(frozen=True)
class Verification:
    """How well a similarity tells "same" from "different"; ``threshold`` is the folds' mean."""

    accuracy: float
    accuracy_std: float
    auc: float
    tar_at_far_1e_2: float
    tar_at_far_1e_3: float
    threshold: float


def verification(similarity: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Verification:
    """LFW's protocol: each fold judged at the threshold that is best on the other nine.

    ``similarity``: float, higher is nearer; ``same``: boolean; ``folds``: the fold of each pair.
    """
    same = same.astype(bool)
    accuracies, thresholds = [], []
    for fold in np.unique(folds):
        rest, here = folds != fold, folds == fold
        threshold = best_threshold(similarity[rest], same[rest])
        accuracies.append(((similarity[here] >= threshold) == same[here]).mean())
        thresholds.append(threshold)
    different = np.sort(similarity[~same])[::-1]

    def accepted(rate: float) -> float:
        limit = different[max(0, int(rate * len(different)) - 1)]
        return float((similarity[same] > limit).mean())

    return Verification(
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        area_under_curve(similarity, same),
        accepted(1e-2),
        accepted(1e-3),
        float(np.mean(thresholds)),
    )


def best_threshold(similarity: np.ndarray, same: np.ndarray) -> float:
    """The threshold (similar at or above it) with the most right answers."""
    order = np.argsort(-similarity, kind="stable")
    ranked, truth = similarity[order], same[order]
    right = np.cumsum(truth) + (np.count_nonzero(~truth) - np.cumsum(~truth))
    best = int(np.argmax(right))
    following = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1e-6
    return float((ranked[best] + following) / 2)
