"""MoveNet: 17 points of one person (Votel and Li 2021, "Next-Generation Pose Detection with MoveNet")."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture
from sightline.architectures.people import PersonFound, PoseFound
from sightline.images.geometry import apply, invert, square_crop, warp
from sightline.images.picture import Pixels

Rows = npt.NDArray[np.float32]
"""N x 3: x, y in input pixels, score."""


class MoveNet(Architecture):
    """Shown one person at a time, in a square around the person's box with all else black: the network picks the
    person it takes for the main one, and a neighbour must not be that.

    Card options: `margin` (the square's side in longer sides of the box), `room` (how much larger than the box is what
    stays to be seen), `mirror` (whether the mirrored crop is looked at too and the points are averaged by their squared
    scores).
    """

    def pose(self, pixels: Pixels, person: PersonFound) -> PoseFound:
        """The points of `person` in height x width x 3 RGB uint8, in the order of the card's labels."""
        size, box, options = self.card.input.width, person.box, self.card.options
        side = max(box.width, box.height, 1.0) * float(options.get("margin", 1.0))
        crop = square_crop((box.x + box.width / 2, box.y + box.height / 2), side, 0.0, size)
        room = float(options.get("room", math.inf))
        chip = _alone(warp(pixels, crop, size, size), room * box.width / side, room * box.height / side)
        rows = self._run(chip)
        if options.get("mirror", False):
            rows = _mean(rows, self._mirrored(chip))
        return PoseFound(apply(invert(crop), rows[:, :2]), np.clip(rows[:, 2], 0, 1))

    def _run(self, chip: Pixels) -> Rows:
        size = self.card.input.width
        values = self.prepare(chip[None]).astype(self.engine.inputs[0].dtype)
        (output,) = self.engine.run(values)
        rows = output.reshape(-1, 3)  # y, x in sides of the crop, score
        return np.column_stack([rows[:, 1] * size, rows[:, 0] * size, rows[:, 2]]).astype(np.float32)

    def _mirrored(self, chip: Pixels) -> Rows:
        """What the network says of the mirrored chip, mirrored back: the left side is then the right one."""
        names = self.card.labels
        rows = self._run(np.ascontiguousarray(chip[:, ::-1]))[[names.index(_other_side(name)) for name in names]]
        rows[:, 0] = self.card.input.width - rows[:, 0]
        return rows


def _alone(chip: Pixels, wide: float, high: float) -> Pixels:
    """The chip, black but for the middle `wide` x `high` of it (shares of its sides)."""
    height, width = chip.shape[:2]
    across, down = round(width * max(0.0, 1 - wide) / 2), round(height * max(0.0, 1 - high) / 2)
    out = np.zeros_like(chip)
    seen = np.s_[down : height - down, across : width - across]
    out[seen] = chip[seen]
    return out


def _mean(a: Rows, b: Rows) -> Rows:
    weights_a, weights_b = a[:, 2:] ** 2 + 1e-9, b[:, 2:] ** 2 + 1e-9
    points = (a[:, :2] * weights_a + b[:, :2] * weights_b) / (weights_a + weights_b)
    return np.column_stack([points, (a[:, 2] + b[:, 2]) / 2]).astype(np.float32)


def _other_side(name: str) -> str:
    return name.replace("left", "\0").replace("right", "left").replace("\0", "right")
