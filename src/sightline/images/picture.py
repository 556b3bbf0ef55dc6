"""The picture: what every task sees, whatever the bytes were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Height x width x 3, RGB, uint8, upright."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded, upright picture.

    `pixels` is height x width x 3, RGB, uint8, C-contiguous. `width` and `height` are those of the
    full upright picture in pixels; `pixels` may be smaller where a JPEG was decoded at a reduced
    scale. All answers are in full-size pixels, origin at the top left corner of the top left pixel.
    """

    pixels: Pixels
    width: int
    height: int
    format: str = "array"
    decode_ms: float = 0.0

    @property
    def scale(self) -> tuple[float, float]:
        """Full-size pixels for one decoded pixel, along x and along y (1.0 unless reduced)."""
        return self.width / self.pixels.shape[1], self.height / self.pixels.shape[0]

    @property
    def reduced(self) -> bool:
        """Whether `pixels` holds fewer pixels than the full picture."""
        return self.pixels.shape[:2] != (self.height, self.width)

    @classmethod
    def of(cls, pixels: Pixels) -> Picture:
        """The picture of an RGB array already upright and full-size."""
        return cls(np.ascontiguousarray(pixels), pixels.shape[1], pixels.shape[0])
