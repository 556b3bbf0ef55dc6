"""How bright, how sharp and how full of contrast the pixels of a picture are: 0..100 each."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from sightline.images.picture import Pixels

Weights = npt.NDArray[np.float32]
"""Height x width, 0..1: how much each pixel counts."""

# The length of the filter that blurs once more, in pixels, and the blur effects that count as 100 and as 0. Crete et
# al. use 9; a longer one still tells apart what is blurred by more than three pixels.
_FILTER = 13
_SHARP, _BLURRED = 0.2, 0.9


class Tones:
    """The lightness of a height x width x 3 RGB uint8 picture, and what can be said of it. Every `weights` is height x
    width: how much each pixel counts, all of them alike where there is none."""

    def __init__(self, pixels: Pixels) -> None:
        lab = cv2.cvtColor(pixels.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2Lab)
        self.light: npt.NDArray[np.float32] = np.ascontiguousarray(lab[..., 0])
        """Height x width, CIE L* (D65): 0 is black, 100 is white."""

    def brightness(self, weights: Weights | None = None) -> float:
        """The mean lightness; 0 where no pixel counts."""
        return _clipped(_mean(self.light, weights))

    def contrast(self, weights: Weights | None = None) -> float:
        """Twice the standard deviation of lightness (root mean square contrast, Peli 1990): 100 for half black and half
        white, 0 for one colour."""
        mean = _mean(self.light, weights)
        return _clipped(2 * _mean((self.light - np.float32(mean)) ** 2, weights) ** 0.5)

    def sharpness(self, weights: Weights | None = None) -> float:
        """How much neighbouring pixels lose of their differences when the picture is blurred once more: the blur effect
        (Crete, Dolmiere, Ladret, Nicolas 2007), of the worse of both axes, 0.9 and above counted as 0, 0.2 and below as
        100.

        It does not depend on contrast; noise counts as detail; a picture of one colour has none.
        """
        blur = max(_blur_effect(*differences, weights, axis) for axis, differences in enumerate(self._differences))
        return _clipped(100 * (_BLURRED - blur) / (_BLURRED - _SHARP))

    @cached_property
    def _differences(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Along each axis: how far neighbours are apart, and how much less they are once blurred."""
        found = []
        for axis, size in enumerate(((1, _FILTER), (_FILTER, 1))):
            again = np.asarray(cv2.blur(self.light, size, borderType=cv2.BORDER_REPLICATE), np.float32)
            before, after = (_steps(light, axis) for light in (self.light, again))
            found.append((before, np.maximum(before - after, 0)))
        return found


def _steps(light: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    first, second = (light[:-1], light[1:]) if axis == 0 else (light[:, :-1], light[:, 1:])
    return np.asarray(np.abs(first - second), np.float32)


def _blur_effect(
    before: npt.NDArray[np.float32], lost: npt.NDArray[np.float32], weights: Weights | None, axis: int
) -> float:
    if weights is None:
        total, gone = float(before.sum()), float(lost.sum())
    else:
        first, second = (weights[:-1], weights[1:]) if axis == 0 else (weights[:, :-1], weights[:, 1:])
        both = np.minimum(first, second).ravel()
        total, gone = float(both @ before.ravel()), float(both @ lost.ravel())
    return 1.0 - gone / total if total > 1e-3 else 1.0


def _mean(values: npt.NDArray[np.float32], weights: Weights | None) -> float:
    if weights is None:
        return float(values.mean())
    total = float(weights.sum())
    return float(values.ravel() @ weights.ravel()) / total if total > 0 else 0.0


def _clipped(value: float) -> float:
    return min(100.0, max(0.0, value))
