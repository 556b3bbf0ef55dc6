"""Fits the judge that tells chest X-rays from everything else.

Positives are the training films, as they are and as augmentation disturbs them. Negatives are a
user's folder of anything else, made grey, and drawn ones: blank, gradients, noise, bars, letters.
The judge is a logistic regression on the mask network's deepest features: no second network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .datasets import SUFFIXES, read_picture, resize
from .nets.film_check import pooled

__all__ = ["drawn", "fit_judge", "read_greys"]


def read_greys(folders: Sequence[Path], side: int, most: int = 1500) -> tuple[Tensor, list[str]]:
    """Up to ``most`` pictures below the ``folders``, as many of each, evenly picked: uint8, count x 1 x side x side."""
    planes, names = [], []
    for folder in folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        for path in paths[:: max(1, -(-len(paths) * len(folders) // most))]:
            planes.append(torch.from_numpy(resize(read_picture(path, grey=True), (side, side)))[None])
            names.append(path.relative_to(folder).as_posix())
    return torch.stack(planes), names


def drawn(count: int, side: int, seed: int = 0) -> Tensor:
    """Pictures that no camera took: uint8, count x 1 x side x side."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    planes = []
    for number in range(count):
        kind = number % 5
        if kind == 0:
            plane = np.full((side, side), draw.uniform(0, 255))
        elif kind == 1:
            a, b = draw.uniform(-1, 1, 2)
            plane = 127 + 120 * (a * (x - 0.5) + b * (y - 0.5))
        elif kind == 2:
            coarse = int(draw.choice([side, side // 4, side // 16, 8]))
            plane = cv2.resize(draw.uniform(0, 255, (coarse, coarse)), (side, side), interpolation=cv2.INTER_CUBIC)
        elif kind == 3:
            plane = 127 + 120 * np.sign(np.sin(draw.uniform(5, 80) * x + draw.uniform(-40, 40) * y))
        else:
            plane = np.full((side, side), 255.0)
            for line in range(12, side, 20):
                words = "".join(draw.choice(list("abcdefghij klmn opqrs tuvwxyz"), 24))
                cv2.putText(plane, words, (6, line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1)
        planes.append(plane + draw.normal(0, draw.uniform(0, 8), (side, side)))
    return torch.from_numpy(np.clip(np.stack(planes), 0, 255).astype(np.uint8))[:, None]


@torch.inference_mode()
def _features(net: nn.Module, pictures: Tensor, batch: int = 16) -> Tensor:
    net.eval()
    parts = [pooled(net.bottom(chunk)[0].float()) for chunk in pictures.split(batch)]  # type: ignore[operator]
    return torch.cat(parts)


def fit_judge(
    net: nn.Module,
    films: Tensor,
    others: Tensor,
    disturb: Callable[[Tensor, torch.Generator], Tensor],
    seed: int = 0,
) -> tuple[Tensor, float]:
    """Weights and bias of the judge. ``films`` and ``others``: uint8, count x 1 x side x side."""
    generator = torch.Generator().manual_seed(seed)
    plain, odd = films.float() / 255, others.float() / 255
    x = torch.cat(
        [
            _features(net, plain),
            _features(net, disturb(plain, generator)),
            _features(net, odd),
            _features(net, 1 - odd[::2]),
        ]
    ).clone()
    truth = torch.zeros(len(x))
    truth[: 2 * len(films)] = 1
    # Both kinds weigh the same, however many pictures each brought.
    weight = torch.where(truth > 0, 0.5 / truth.sum(), 0.5 / (1 - truth).sum())
    mean, deviation = x.mean(0), x.std(0) + 1e-4
    scaled = (x - mean) / deviation
    weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = scaled @ weights[:-1] + weights[-1]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth, weight, reduction="sum")
        loss = loss + 1e-3 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    found = weights.detach()
    true_weights = found[:-1] / deviation
    return true_weights, float(found[-1] - (true_weights * mean).sum())
