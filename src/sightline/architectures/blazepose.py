"""BlazePose: 33 points of one person (Bazarevsky et al. 2020, arXiv 2006.10204)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture
from sightline.architectures.blazepose_detector import upright
from sightline.architectures.people import PersonFound, PoseFound, Upright
from sightline.images.geometry import Affine, apply, invert, square_crop, warp
from sightline.images.picture import Pixels

# Behind the named points the network gives the two that its detector gives, for the next crop.
_HIPS, _ABOVE = 33, 34
# How much larger than a box without known direction the first crop is.
_MARGIN = 1.25
# The heat map around a point, in its cells, and the least peak that may move it: as in MediaPipe.
_REACH, _PEAK = 3, 0.5

Floats = npt.NDArray[np.float32]


class BlazePose(Architecture):
    """Card options: `passes` (crops looked at; each but the first is laid by the points of the one before). A point's
    score is how likely it is visible."""

    def pose(self, pixels: Pixels, person: PersonFound) -> PoseFound:
        """The points of `person` in height x width x 3 RGB uint8, in the order of the card's labels."""
        size = self.card.input.width
        crop = _crop(person.upright or _around(person), size)
        for _ in range(int(self.card.options.get("passes", 1)) - 1):
            rows, _, _ = self._run(pixels, crop)
            hips, above = apply(invert(crop), rows[[_HIPS, _ABOVE], :2])
            crop = _crop(upright(hips, above), size)
        rows, presence, heat = self._run(pixels, crop)
        count = len(self.card.labels)
        refined = apply(invert(crop), _refined(rows[:count, :2], heat, size))
        scores = 1 / (1 + np.exp(-np.clip(rows[:count, 3], -60, 60)))
        return PoseFound(refined, scores.astype(np.float32), presence)

    def _run(self, pixels: Pixels, crop: Affine) -> tuple[Floats, float, Floats]:
        """The rows (39 x 5: x, y, z in crop pixels, logits of being visible and present), the probability of a person
        and the heat maps (64 x 64 x 39, logits)."""
        size = self.card.input.width
        outputs = self.engine.run(self.prepare(warp(pixels, crop, size, size)[None]))
        by_size = {output[0].size: output[0] for output in outputs}
        (heat,) = (output for output in by_size.values() if output.ndim == 3 and output.shape[-1] == 39)
        return by_size[195].reshape(39, 5), float(by_size[1].reshape(-1)[0]), heat


def _crop(square: Upright, size: int) -> Affine:
    return square_crop(square.center, square.side, square.angle, size)


def _around(person: PersonFound) -> Upright:
    box = person.box
    side = max(box.width, box.height, 1.0) * _MARGIN
    return Upright((box.x + box.width / 2, box.y + box.height / 2), side, 0.0)


def _refined(points: Floats, heat: Floats, size: int) -> Floats:
    """Points (N x 2, crop pixels) moved to the centre of mass of their heat map nearby, where that is sure."""
    cells = heat.shape[0]
    out = points.copy()
    for index, (column, row) in enumerate((points * (cells / size)).astype(int)):
        if not (0 <= column < cells and 0 <= row < cells):
            continue
        left, top = max(0, column - _REACH), max(0, row - _REACH)
        part = heat[top : row + _REACH + 1, left : column + _REACH + 1, index]
        weights = 1 / (1 + np.exp(-np.clip(part, -60, 60)))
        if weights.max() < _PEAK:
            continue
        rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
        total = weights.sum()
        out[index] = np.array([(columns * weights).sum(), (rows * weights).sum()]) / total * (size / cells)
    return out
