"""COCO's run-length encoding of masks (Lin et al. 2014, arXiv 1405.0312; `maskApi.c` of its tools).

Runs go down the columns, from left to right, and begin with the length of a run of zeros. In the compressed form each
number but the first three is stored as its difference to the number two before it, in groups of five bits, the
lowest first; a sixth bit says that more follow, and 48 is added to give a printable letter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption
from sightline.images.patch import Patch

_LARGEST = 178_000_000  # pixels: as many as a picture may have


def encode(patch: Patch, width: int, height: int) -> dict[str, Any]:
    """`{"size": [height, width], "counts": letters}` of a patch on a picture of width x height: what pycocotools
    takes (there the letters are bytes in older versions)."""
    return {"size": [height, width], "counts": compress(runs(patch, width, height))}


def decode(rle: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """The mask, height x width, of `{"size", "counts"}`, its counts letters or a list of numbers.

    Raises `InvalidOption` where they do not describe a mask.
    """
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
        lengths = np.asarray(expand(counts) if isinstance(counts, str) else counts, np.int64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidOption(f"this is no run-length encoded mask: {error!r}") from None
    fits = height >= 0 and width >= 0 and height * width <= _LARGEST and lengths.ndim == 1
    if not fits or (lengths < 0).any() or (lengths > _LARGEST).any() or int(lengths.sum()) != height * width:
        raise InvalidOption("the runs of a mask are as long together as the picture has pixels")
    values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(values.reshape(width, height).T)


def runs(patch: Patch, width: int, height: int) -> list[int]:
    """The lengths of the runs of a patch on a picture of width x height: zeros, ones, zeros, ..."""
    columns = np.zeros((patch.inside.shape[1], patch.inside.shape[0] + 2), np.int8)
    columns[:, 1:-1] = patch.inside.T
    steps = np.diff(columns, axis=1)
    at_column, at_row = np.nonzero(steps == 1)
    end_column, end_row = np.nonzero(steps == -1)
    starts = (at_column + patch.left) * height + at_row + patch.top
    ends = (end_column + patch.left) * height + end_row + patch.top
    if not len(starts):
        return [width * height]
    # A run that reaches the bottom of a column goes on at the top of the next one.
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.r_[True, apart]], ends[np.r_[apart, True]]
    borders = np.empty(2 * len(starts) + 1, np.int64)
    borders[0], borders[1::2], borders[2::2] = 0, starts, ends
    lengths = [int(length) for length in np.diff(borders)]
    rest = width * height - int(ends[-1])
    return [*lengths, rest] if rest else lengths


def compress(lengths: list[int]) -> str:
    """The letters of a list of run lengths."""
    letters = []
    for index, length in enumerate(lengths):
        value = length - (lengths[index - 2] if index > 2 else 0)
        while True:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr((bits | 32 if more else bits) + 48))
            if not more:
                break
    return "".join(letters)


def expand(letters: str) -> list[int]:
    """The run lengths of a string of letters. Raises ValueError for letters that do not end a number."""
    lengths: list[int] = []
    value = shift = 0
    for letter in letters:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{letter!r} is no letter of a run length")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise ValueError("a run length of more than 60 bits")
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the last run length is cut off")
    return lengths
