"""The pixels of one thing on a picture, kept no larger than they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sightline.images.geometry import Box

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """Whole pixels of a picture: `left` and `top` inside, `right` and `bottom` just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, box: Box, width: int, height: int, grow: float = 0.0) -> Window:
        """Every pixel that the box touches, grown by `grow` of its sides on each side, inside a picture of this
        size: at least one pixel, also where the box lies outside."""
        left, top, right, bottom = box.corners
        dx, dy = box.width * grow, box.height * grow
        low_x = min(max(0, math.floor(left - dx)), width - 1)
        low_y = min(max(0, math.floor(top - dy)), height - 1)
        return cls(
            low_x,
            low_y,
            min(max(low_x + 1, math.ceil(right + dx)), width),
            min(max(low_y + 1, math.ceil(bottom + dy)), height),
        )

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A mask that is true nowhere outside a part of the picture: `inside` (rows x columns, bool) lies with its top
    left pixel at `left`, `top`."""

    left: int
    top: int
    inside: Bools

    @property
    def area(self) -> int:
        """Pixels that are marked."""
        return int(np.count_nonzero(self.inside))

    def full(self, width: int, height: int) -> Bools:
        """The mask of the whole picture: height x width, bool."""
        mask = np.zeros((height, width), np.bool_)
        rows, columns = self.inside.shape
        mask[self.top : self.top + rows, self.left : self.left + columns] = self.inside
        return mask

    def scaled(self, by_x: float, by_y: float, width: int, height: int) -> Patch:
        """The patch on a picture of width x height that is `by_x` and `by_y` as large, its edge smooth."""
        if by_x == 1 and by_y == 1:
            return self
        rows, columns = self.inside.shape
        box = Box(self.left * by_x, self.top * by_y, columns * by_x, rows * by_y)
        window = Window.around(box, width, height)
        # The centre of pixel k lies at k + 0.5 in both frames; OpenCV counts from the centre of the first pixel.
        back = np.array(
            [
                [1 / by_x, 0, (window.left + 0.5) / by_x - 0.5 - self.left],
                [0, 1 / by_y, (window.top + 0.5) / by_y - 0.5 - self.top],
            ]
        )
        soft = cv2.warpAffine(
            self.inside.astype(np.float32),
            back,
            (window.width, window.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return Patch(window.left, window.top, np.asarray(soft >= 0.5, np.bool_))
