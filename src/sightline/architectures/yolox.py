"""YOLOX: an anchor-free detector with a grid a stride (Ge et al. 2021, arXiv 2107.08430), as its project exports it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from sightline.architectures.objects import Candidates, ObjectNetwork
from sightline.errors import InvalidCard
from sightline.images.geometry import Boxes, letterbox_corner
from sightline.images.picture import Pixels

PAD = 114


class YoloX(ObjectNetwork):
    """Takes the picture in the top left corner of its input, the rest grey. Card options: `strides` of the grids.

    The output is 1 x cells x (5 + labels): centre (in cells, from the cell's corner), logarithms of width and height
    (in cells), the probability that there is a thing, and that of each label if there is one.
    """

    def candidates(self, pixels: Pixels, least: float) -> Candidates:
        spec = self.card.input
        boxed, back = letterbox_corner(pixels, spec.width, spec.height, PAD)
        (output,) = self.engine.run(self.prepare(boxed[None]))
        cells, strides = self._grid
        if output.shape != (1, len(cells), 5 + len(self.card.labels)):
            raise InvalidCard(
                f"{self.card.name} answers an array of {output.shape}; its strides and labels make"
                f" {(1, len(cells), 5 + len(self.card.labels))}"
            )
        rows = output[0]
        likely = rows[:, 4] >= least  # the product of both probabilities is no larger
        rows, cells, strides = rows[likely], cells[likely], strides[likely]
        classes = rows[:, 5:].argmax(axis=1)
        scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
        centers = (rows[:, :2] + cells) * strides
        halves = np.exp(np.minimum(rows[:, 2:4], 20)) * strides / 2
        return Candidates(_corners(centers, halves, back.scale), scores, classes)

    @cached_property
    def _grid(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Each cell's corner (N x 2, in cells) and its stride (N x 1), row by row of each grid."""
        spec = self.card.input
        corners, sizes = [], []
        for stride in self.card.options["strides"]:
            ys, xs = np.mgrid[0 : spec.height // stride, 0 : spec.width // stride]
            corners.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
            sizes.append(np.full((xs.size, 1), stride))
        return np.concatenate(corners).astype(np.float32), np.concatenate(sizes).astype(np.float32)


def _corners(centers: npt.NDArray[np.float32], halves: npt.NDArray[np.float32], scale: float) -> Boxes:
    return np.asarray(np.concatenate([centers - halves, centers + halves], axis=1) / scale, np.float32)
