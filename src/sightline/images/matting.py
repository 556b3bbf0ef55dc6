"""A coarse mask into a soft cut-out: edges that follow the picture, and colours free of the old background.

Three steps, each usable alone: `refine` (where is the person, to a fraction of a pixel), `foreground` (what
colour has the person where the old background shines through) and `composite` (put it on a new one).
Only the rim is worked on: inside a person and far from one there is nothing to find out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption
from sightline.images.picture import Pixels

Floats: TypeAlias = npt.NDArray[np.float32]
Slices: TypeAlias = tuple[slice, slice]

# Chosen on 148 portraits of EG1800 with the selfie segmenter, by IoU and by the share of right pixels, the mean
# error and the gradient's error within 10 pixels of the true edge. Neighbouring values differ in the third digit.
_LEVELS = (256, 512)  # longer side at which the filter's coefficients are found, coarse to fine
_RADIUS = 6  # of the filter's window, in pixels of the level
_EPS = 1e-3  # colour variance (0..1 squared) below which a window counts as flat
_CERTAIN = (0.3, 0.7)  # the segmenter's word outside this range is taken: a face must not turn into a ghost
_STRETCH = (0.2, 0.8)  # what the filter leaves below is outside, above is inside
_TILE = 256
_RIM = 3  # pixels of the finest level by which the rim is widened


def refine(mask: Floats, guide: Pixels) -> Floats:
    """The mask at the picture's full size, its edges moved onto the picture's.

    `mask`: height x width, float32, 0..1, of the whole picture at any size and proportions, as a segmenter
    gives it. `guide`: the picture, RGB. Returns the alpha, float32, 0..1, of the guide's height x width:
    exactly 0 outside, exactly 1 inside, in between at the rim.

    A colour guided filter (He, Sun, Tang: Guided Image Filtering, ECCV 2010, eq. 19) with its coefficients found
    at a reduced size (He, Sun: Fast Guided Filter, 2015), twice: coarse to pull a misplaced edge, fine to shape it.
    """
    height, width = guide.shape[:2]
    alpha = _stretch(mask, *_CERTAIN)
    # The coarse level is made from the fine one: the full-size picture is gone through once.
    finest = _shrunk(guide, _fit(width, height, _LEVELS[-1]))
    for side in _LEVELS:
        size = _fit(width, height, side)
        small = finest if side == _LEVELS[-1] else _shrunk(finest, size)
        shrinks = size[0] < alpha.shape[1]
        start = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        coefficients = _coefficients(cast(Floats, start), small * np.float32(1 / 255))
        alpha = _stretch(_apply(coefficients, small), *_STRETCH)
    return _full_size(coefficients, alpha, guide)


def foreground(pixels: Pixels, alpha: Floats) -> Pixels:
    """The person's own colours: the old background removed from the pixels that show both.

    `pixels`: RGB, uint8; `alpha`: float32, 0..1, same height x width. Returns a copy of `pixels`, changed only
    where 0 < alpha < 1. Without it, hair cut from a bright wall carries a bright seam onto a dark background.

    Blur fusion (Forte: Approximate Fast Foreground Colour Estimation, ICIP 2021). Both blurred estimates vary
    slowly, so they are found at a reduced size and only the last correction is made in full-size pixels.
    """
    _same_size(pixels, alpha)
    result = pixels.copy()
    height, width = alpha.shape
    size = _fit(width, height, _LEVELS[0])
    small = _shrunk(pixels, size)
    weight = cast(Floats, cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None])
    front, back = small, small
    for side in (23, 3):
        front, back = _means(front, weight, side), _means(back, 1 - weight, side)
        mean = front
        front = np.clip(front + weight * (small - weight * front - (1 - weight) * back), 0, 255)
    for tile in _tiles(height, width):
        part = alpha[tile][..., None]
        rim = (part > 0) & (part < 1)
        if not rim.any():
            continue
        own, other = _enlarged(mean, tile, (height, width)), _enlarged(back, tile, (height, width))
        colour = own + part * (pixels[tile] - part * own - (1 - part) * other)
        np.copyto(result[tile], np.clip(colour + 0.5, 0, 255).astype(np.uint8), where=rim)
    return result


def composite(pixels: Pixels, alpha: Floats, background: Pixels) -> Pixels:
    """`pixels` over `background` by `alpha`: all of one height x width, RGB uint8 and float32 0..1."""
    _same_size(pixels, alpha)
    _same_size(background, alpha)
    return cast(Pixels, cv2.blendLinear(pixels, background, alpha, 1 - alpha))


def _same_size(pixels: Pixels, alpha: Floats) -> None:
    if pixels.shape[:2] != alpha.shape:
        raise InvalidOption(f"the picture is {pixels.shape[:2]} (height, width) and its mask {alpha.shape}")


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrunk(pixels: Pixels | Floats, size: tuple[int, int]) -> Floats:
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _box(array: Floats) -> Floats:
    size = 2 * _RADIUS + 1
    return cast(Floats, cv2.boxFilter(array, -1, (size, size), borderType=cv2.BORDER_REFLECT))


def _coefficients(alpha: Floats, guide: Floats) -> Floats:
    """Height x width x 4: the alpha as a linear function of red, green, blue (0..255) and the constant 255."""
    red, green, blue = cast("list[Floats]", cv2.split(guide))
    mean = _box(alpha)
    mean_r, mean_g, mean_b = (_box(channel) for channel in (red, green, blue))
    cov_r, cov_g, cov_b = (
        _box(channel * alpha) - of * mean for channel, of in ((red, mean_r), (green, mean_g), (blue, mean_b))
    )
    rr = _box(red * red) - mean_r * mean_r + _EPS
    gg = _box(green * green) - mean_g * mean_g + _EPS
    bb = _box(blue * blue) - mean_b * mean_b + _EPS
    rg = _box(red * green) - mean_r * mean_g
    rb = _box(red * blue) - mean_r * mean_b
    gb = _box(green * blue) - mean_g * mean_b
    # The inverse of the symmetric 3 x 3 covariance by its cofactors.
    inv_rr, inv_rg, inv_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    inv_gg, inv_gb, inv_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = 1 / (rr * inv_rr + rg * inv_rg + rb * inv_rb)
    by_r = (inv_rr * cov_r + inv_rg * cov_g + inv_rb * cov_b) * scale
    by_g = (inv_rg * cov_r + inv_gg * cov_g + inv_gb * cov_b) * scale
    by_b = (inv_rb * cov_r + inv_gb * cov_g + inv_bb * cov_b) * scale
    constant = mean - by_r * mean_r - by_g * mean_g - by_b * mean_b
    return _box(cv2.merge([by_r, by_g, by_b, constant])) * np.float32(1 / 255)


def _apply(coefficients: Floats, guide: npt.NDArray[np.float32] | Pixels) -> Floats:
    with_constant = cv2.cvtColor(guide, cv2.COLOR_RGB2RGBA)
    if guide.dtype == np.float32:
        with_constant[..., 3] = 255  # OpenCV's opaque is 1.0 for floats, 255 for bytes
    products = cv2.multiply(coefficients, with_constant, dtype=cv2.CV_32F)
    return cast(Floats, cv2.transform(products, np.ones((1, 4), np.float32)))


def _stretch(alpha: Floats, low: float, high: float) -> Floats:
    scaled = cv2.addWeighted(alpha, 1 / (high - low), alpha, 0, -low / (high - low))
    return cast(Floats, np.clip(scaled, 0, 1, out=scaled))


def _full_size(coefficients: Floats, alpha: Floats, guide: Pixels) -> Floats:
    height, width = guide.shape[:2]
    # Texture finer than the level must not punch holes into a face: away from the rim the level's answer stands.
    unsure = ((alpha > 0) & (alpha < 1)).astype(np.uint8)
    around = cv2.dilate(unsure, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8))
    rim = cv2.resize(around, (width, height), interpolation=cv2.INTER_NEAREST)
    result = cv2.resize((alpha >= 0.5).astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    for tile in _tiles(height, width):
        if rim[tile].any():
            fine = _stretch(_apply(_enlarged(coefficients, tile, (height, width)), guide[tile]), *_STRETCH)
            np.copyto(result[tile], fine, where=rim[tile].astype(bool))
    return cast(Floats, result)


def _means(colours: Floats, weight: Floats, side: int) -> Floats:
    """The mean colour around each pixel, by weight; the pixel's own where there is no weight at all."""
    total = cv2.blur(weight, (side, side))[..., None] + np.float32(1e-5)
    return cast(Floats, (cv2.blur(colours * weight, (side, side)) + np.float32(1e-5) * colours) / total)


def _tiles(height: int, width: int) -> Iterator[Slices]:
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            yield slice(top, min(top + _TILE, height)), slice(left, min(left + _TILE, width))


def _enlarged(small: Floats, tile: Slices, size: tuple[int, int]) -> Floats:
    """What `cv2.resize(small, size)` would have in `tile`, without the rest of it."""
    rows, columns = tile
    by_x, by_y = small.shape[1] / size[1], small.shape[0] / size[0]
    shift_x = (columns.start + 0.5) * by_x - 0.5
    shift_y = (rows.start + 0.5) * by_y - 0.5
    matrix = np.array([[by_x, 0, shift_x], [0, by_y, shift_y]], np.float64)
    wanted = (columns.stop - columns.start, rows.stop - rows.start)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cast(Floats, cv2.warpAffine(small, matrix, wanted, flags=flags, borderMode=cv2.BORDER_REPLICATE))
