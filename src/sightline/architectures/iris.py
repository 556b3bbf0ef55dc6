"""The iris network: the outline of one eye and its iris (Ablavatski et al. 2020, arXiv 2006.11341)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.architectures.base import Architecture
from sightline.images.geometry import Affine, Points, apply, compose, invert, square_crop, warp
from sightline.images.picture import Pixels

# Points of the face mesh: the outer and the inner corner of the eye at the picture's left, then at its right.
_CORNERS = ((33, 133), (263, 362))
# The side of the crop in widths of an eye; the network was trained on such crops.
_MARGIN = 2.3
_OUTLINE, _IRIS = 16, 5


@dataclass(frozen=True, slots=True, eq=False)
class EyeFound:
    """One eye, in pixels of the array that was searched.

    `outline` is 16 x 2: the outer corner, seven points of the lower lid, the inner corner, seven points of the upper
    lid from the outer side to the inner one. `iris` is 5 x 2: its centre and four points of its rim.
    """

    outline: Points
    iris: Points


class Iris(Architecture):
    """Looks at each eye on a crop turned so that the eye is level. Trained on the person's left eye: the other is
    shown mirrored."""

    def eyes(self, pixels: Pixels, mesh: Points) -> tuple[EyeFound, EyeFound]:
        """The eye at the picture's left and the one at its right of a face whose 468 mesh points (468 x 2, pixels of
        `pixels`, height x width x 3 RGB uint8) are `mesh`."""
        left, right = (self._eye(pixels, self._crop(mesh, side)) for side in (0, 1))
        return left, right

    def _crop(self, mesh: Points, side: int) -> Affine:
        size = self.card.input.width
        outer, inner = (mesh[index].astype(np.float64) for index in _CORNERS[side])
        start, end = (outer, inner) if side == 0 else (inner, outer)
        center, across = (start + end) / 2, end - start
        width = max(float(np.hypot(*across)), 1e-3)
        crop = square_crop((center[0], center[1]), width * _MARGIN, math.atan2(across[1], across[0]), size)
        mirror = np.array([[-1.0, 0.0, size], [0.0, 1.0, 0.0]])
        return compose(mirror, crop) if side == 0 else crop

    def _eye(self, pixels: Pixels, crop: Affine) -> EyeFound:
        size = self.card.input.width
        values = self.prepare(warp(pixels, crop, size, size)[None])
        iris, outline = sorted((output.reshape(-1, 3)[:, :2] for output in self.engine.run(values)), key=len)
        back = invert(crop)
        return EyeFound(apply(back, outline[:_OUTLINE]), apply(back, iris[:_IRIS]))
