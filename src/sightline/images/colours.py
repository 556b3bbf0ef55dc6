"""The dominant colours of a picture, and how bright, sharp and full of contrast it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption
from sightline.images.colour_names import names_of, to_lab, to_rgb
from sightline.images.geometry import resize
from sightline.images.picture import Pixels
from sightline.images.quality import Tones, Weights

Table = npt.NDArray[np.float64]

MOST = 20
"""The most colours that can be asked for."""

# The longer side of the copies that are looked at: colours are in no need of detail, sharpness is.
_COLOUR_SIDE, _SHARP_SIDE = 128, 512
# Colours nearer than this in CIE Lab are one at a glance (CIE76); a share below the other is no dominant one.
_SAME, _LEAST_SHARE = 10.0, 0.01
# A foreground or a background of less than this share of the picture is none.
_LEAST_REGION = 0.01
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Colour:
    """A dominant colour: sRGB bytes, the name of the nearest CSS colour, one of twelve simple names, and the share of
    the region's pixels, 0..1, that it stands for."""

    red: int
    green: int
    blue: int
    css: str
    simple: str
    share: float

    @property
    def hex(self) -> str:
        """`#rrggbb`, lower case."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


@dataclass(frozen=True, slots=True)
class Look:
    """Brightness, sharpness and contrast, 0..100 each, as `images.quality` defines them."""

    brightness: float
    sharpness: float
    contrast: float


@dataclass(frozen=True, slots=True)
class Region:
    """The look and the dominant colours, largest share first, of some of a picture's pixels."""

    look: Look
    colours: tuple[Colour, ...]


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """Of the whole picture, its foreground and its background; None where nobody knows which is which, or where there
    is none of it."""

    whole: Region
    foreground: Region | None = None
    background: Region | None = None


def image_properties(pixels: Pixels, mask: Weights | None = None, most: int = 10) -> ImageProperties:
    """Of a height x width x 3 RGB uint8 picture.

    `mask` says where the foreground is: float32, 0..1, of the whole picture at any size and proportions, as a segmenter
    gives it. Without one there is neither foreground nor background: guesses from the middle of the picture or from its
    border agree with what people drew no better than taking all of it. `most`: the most colours a region, 0..20.

    Raises `InvalidOption` for another `most` and for a mask that is not two-dimensional.
    """
    if not 0 <= most <= MOST:
        raise InvalidOption(f"the most colours are 0 to {MOST}, not {most}")
    if mask is not None and (mask.ndim != 2 or mask.size == 0):
        raise InvalidOption(f"a mask has height and width, not the shape {mask.shape}")
    fine = _shrunk(pixels, _SHARP_SIDE)
    tones, lab = Tones(fine), to_lab(_shrunk(fine, _COLOUR_SIDE).reshape(-1, 3))
    whole = Region(_look(tones, None), dominant(lab, None, most))
    if mask is None:
        return ImageProperties(whole)
    coarse = _sized(mask, _shrunk(fine, _COLOUR_SIDE)).reshape(-1)
    exact = _sized(mask, tones.light)
    parts = [
        Region(_look(tones, weights), dominant(lab, few, most)) if float(few.mean()) >= _LEAST_REGION else None
        for weights, few in ((exact, coarse), (1 - exact, 1 - coarse))
    ]
    return ImageProperties(whole, *parts)


def dominant(
    lab: npt.NDArray[np.floating[Any]], weights: npt.NDArray[np.float32] | None = None, most: int = 10
) -> tuple[Colour, ...]:
    """At most `most` colours of N x 3 pixels in CIE Lab, each counting for its weight (N), largest share first.

    k-means (Lloyd 1982) over a histogram of the colours, begun with the heaviest cell and then always the one that
    counts most for its distance from those taken: the same pixels give the same colours. Centres that look alike are
    made one.
    """
    if most == 0 or len(lab) == 0:
        return ()
    colours, counts = _histogram(lab, np.ones(len(lab), np.float32) if weights is None else weights)
    total = float(counts.sum())
    if total <= 0:
        return ()
    centres = _lloyd(colours, counts, _starts(colours, counts, most))
    centres, shares = _merged(centres, _shares(colours, counts, centres) / total)
    order = np.argsort(-shares, kind="stable")
    return tuple(
        Colour(int(rgb[0]), int(rgb[1]), int(rgb[2]), *names_of(rgb), share=float(share))
        for rgb, share in zip(to_rgb(centres[order]), shares[order], strict=True)
        if share >= _LEAST_SHARE
    )


def _histogram(lab: npt.NDArray[np.floating[Any]], weights: npt.NDArray[np.float32]) -> tuple[Table, Table]:
    """The mean colour (M x 3) and the weight (M) of every cell of 4 units a side that holds any."""
    cells = np.floor(lab / 4).astype(np.int64) + 64
    keys = (cells[:, 0] * 128 + cells[:, 1]) * 128 + cells[:, 2]
    _, where = np.unique(keys, return_inverse=True)
    counts = np.asarray(np.bincount(where, weights), np.float64)
    held = counts > 0
    means = np.stack([np.bincount(where, weights * lab[:, axis]) for axis in range(3)], axis=1)[held]
    return means / counts[held, None], counts[held]


def _starts(colours: Table, counts: Table, most: int) -> Table:
    taken = [int(counts.argmax())]
    apart = ((colours - colours[taken[0]]) ** 2).sum(axis=1)
    while len(taken) < min(most, len(colours)) and float((apart * counts).max()) > 0:
        taken.append(int((apart * counts).argmax()))
        apart = np.minimum(apart, ((colours - colours[taken[-1]]) ** 2).sum(axis=1))
    return colours[taken]


def _nearest(colours: Table, centres: Table) -> npt.NDArray[np.intp]:
    # |c - m|^2 less |c|^2, which is the same for every centre.
    return np.asarray(((centres**2).sum(axis=1) - 2 * colours @ centres.T).argmin(axis=1), np.intp)


def _lloyd(colours: Table, counts: Table, centres: Table) -> Table:
    for _ in range(_ROUNDS):
        own = _nearest(colours, centres)
        sums = np.bincount(own, counts, len(centres))
        moved = np.stack([np.bincount(own, counts * colours[:, axis], len(centres)) for axis in range(3)], axis=1)
        after = np.where(sums[:, None] > 0, moved / np.maximum(sums, 1e-12)[:, None], centres)
        if np.abs(after - centres).max() < 0.05:
            return after
        centres = after
    return centres


def _shares(colours: Table, counts: Table, centres: Table) -> Table:
    return np.asarray(np.bincount(_nearest(colours, centres), counts, len(centres)), np.float64)


def _merged(centres: Table, shares: Table) -> tuple[Table, Table]:
    """The two nearest centres made one, until none are near."""
    while len(centres) > 1:
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        a, b = sorted(map(int, np.unravel_index(apart.argmin(), apart.shape)))
        if apart[a, b] >= _SAME:
            break
        both = shares[a] + shares[b]
        if both > 0:
            centres[a] = (centres[a] * shares[a] + centres[b] * shares[b]) / both
        shares[a] = both
        centres, shares = np.delete(centres, b, axis=0), np.delete(shares, b)
    return centres, shares


def _look(tones: Tones, weights: Weights | None) -> Look:
    return Look(tones.brightness(weights), tones.sharpness(weights), tones.contrast(weights))


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    # Averages of whole pixels are several times as fast as others: as far as they go, they go first.
    factor = max(height, width) // side
    if factor > 1 and min(height, width) >= factor:
        height, width = height // factor, width // factor
        pixels = resize(pixels[: height * factor, : width * factor], width, height)
    scale = min(1.0, side / max(height, width))
    return pixels if scale == 1 else resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _sized(mask: Weights, like: npt.NDArray[np.generic]) -> Weights:
    height, width = like.shape[:2]
    shrinks = width < mask.shape[1]
    sized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(np.clip(sized, 0, 1), np.float32)
