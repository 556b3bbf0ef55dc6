"""A linear map that separates people, in closed form: the starting point of the siamese recipe.

Principal components, then Fisher's discriminant with a ridge (Belhumeur et al. 1997; Friedman
1989): directions along which people differ much and pictures of one person little. The ridge is
what lets some thousand faces determine a map from some thousand numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Components", "discriminant", "principal_components"]


@dataclass(frozen=True)
class Components:
    """``mean`` (numbers) and ``axes`` (numbers x kept): centred features times axes are coordinates."""

    mean: Tensor
    axes: Tensor

    def coordinates(self, features: Tensor) -> Tensor:
        """Count x kept."""
        return (features - self.mean) @ self.axes


def principal_components(features: Tensor, keep: int) -> Components:
    """The ``keep`` directions of largest spread of ``features`` (count x numbers, count the smaller)."""
    x = features.numpy().astype(np.float64)
    mean = x.mean(0)
    x -= mean
    # Through the count x count matrix of products: the numbers x numbers one is far larger.
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = np.argsort(-values)[: min(keep, len(x) - 1)]
    kept = kept[values[kept] > 1e-9 * values.max()]
    axes = (x.T @ vectors[:, kept]) / np.sqrt(values[kept])
    return Components(torch.from_numpy(mean).float(), torch.from_numpy(axes).float())


def discriminant(coordinates: Tensor, people: Tensor, size: int, ridge: float = 0.3) -> Tensor:
    """Kept x ``size``: the map under which people lie far apart for their own spread.

    ``ridge``: what is added to the spread within people, as a share of the mean spread overall.
    """
    z, who = coordinates.numpy().astype(np.float64), people.numpy()
    kept = z.shape[1]
    centres = np.stack([z[who == person].mean(0) for person in range(int(who.max()) + 1)])
    within = z - centres[who]
    spread = within.T @ within / len(z) + ridge * (z**2).sum() / len(z) / kept * np.eye(kept)
    values, vectors = np.linalg.eigh(spread)
    white = vectors / np.sqrt(values)
    _, between = np.linalg.eigh(np.cov((centres @ white).T))
    found = white @ between[:, ::-1][:, : min(size, kept)]
    if found.shape[1] < size:  # fewer faces than numbers asked for: the rest stays silent
        found = np.pad(found, ((0, 0), (0, size - found.shape[1])))
    return torch.from_numpy(found).float()
