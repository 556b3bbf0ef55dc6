"""Boxes, points and the maps between a picture and a network's input.

One frame throughout: pixels of the picture, origin at the top left corner of the top left pixel, x to
the right, y down. The centre of that pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from sightline.images.picture import Pixels

Points: TypeAlias = npt.NDArray[np.float32]
"""N x 2: x, y."""
Boxes: TypeAlias = npt.NDArray[np.float32]
"""N x 4: left, top, right, bottom."""
Affine: TypeAlias = npt.NDArray[np.float64]
"""2 x 3: maps a point (x, y, 1) of one frame into another."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture; `x`, `y` is its top left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @classmethod
    def between(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """The box of two corners."""
        return cls(float(left), float(top), float(right - left), float(bottom - top))

    def clipped(self, width: float, height: float) -> Box:
        """The part of the box that lies inside a picture of this size."""
        left, top, right, bottom = self.corners
        left, right = min(max(left, 0.0), width), min(max(right, 0.0), width)
        top, bottom = min(max(top, 0.0), height), min(max(bottom, 0.0), height)
        return Box(left, top, right - left, bottom - top)

    def to_dict(self) -> dict[str, float]:
        """Rounded to a hundredth of a pixel, finer than any detector is."""
        return {name: round(getattr(self, name), 2) for name in ("x", "y", "width", "height")}


def iou(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Intersection over union of every box of `a` (N x 4) with every box of `b` (M x 4): N x M."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a = np.prod(a[:, 2:] - a[:, :2], axis=1)
    area_b = np.prod(b[:, 2:] - b[:, :2], axis=1)
    union = area_a[:, None] + area_b[None, :] - inner
    return np.asarray(inner / np.maximum(union, 1e-9), np.float32)


def nms(boxes: Boxes, scores: npt.NDArray[np.float32], threshold: float) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    overlaps = iou(boxes, boxes)
    keep: list[int] = []
    alive = np.ones(len(boxes), bool)
    for index in order:
        if alive[index]:
            keep.append(int(index))
            alive &= overlaps[index] <= threshold
    return keep


def nms_by_class(
    boxes: Boxes, scores: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], threshold: float
) -> list[int]:
    """Non-maximum suppression among boxes of one class each (N class numbers): a person never suppresses the horse.
    Indices of the boxes that stay, best first."""
    keep: list[int] = []
    for number in np.unique(classes):
        (own,) = np.nonzero(classes == number)
        keep += [int(own[index]) for index in nms(boxes[own], scores[own], threshold)]
    return sorted(keep, key=lambda index: (-scores[index], index))


def weighted_nms(
    rows: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], threshold: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Non-maximum suppression that averages: each best box and those overlapping it above `threshold` become
    one, the mean of their rows weighted by score (as in BlazeFace, Bazarevsky et al. 2019, section 3.4).

    `rows` is N x K, the first four numbers a box (left, top, right, bottom), the rest points that are averaged
    alike. Returns the merged rows (M x K) and the best score of each (M), best first.
    """
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    overlaps = iou(rows[:, :4], rows[:, :4])
    alive = np.ones(len(rows), bool)
    merged, best = [], []
    for index in range(len(rows)):
        if not alive[index]:
            continue
        group = alive & (overlaps[index] > threshold)
        group[index] = True
        weights = scores[group, None]
        merged.append((rows[group] * weights).sum(axis=0) / weights.sum())
        best.append(scores[index])
        alive &= ~group
    return np.array(merged, np.float32).reshape(-1, rows.shape[1]), np.array(best, np.float32)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture scaled into a network's input with its proportions kept and the rest padded, centred: the whole
    pixels of the input that it takes (`left`, `top`, `width`, `height`), and input pixels per picture pixel."""

    scale: float
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, source: tuple[int, int], width: int, height: int) -> Letterbox:
        """Where a picture of `source` (height, width) goes in an input of `width` x `height`."""
        scale = min(width / source[1], height / source[0])
        inner_width, inner_height = max(1, round(source[1] * scale)), max(1, round(source[0] * scale))
        return cls(scale, (width - inner_width) // 2, (height - inner_height) // 2, inner_width, inner_height)

    def back(self, points: Points) -> Points:
        """Points of the input (N x 2, pixels) in the picture's frame."""
        return np.asarray((points - (self.left, self.top)) / self.scale, np.float32)

    def cut(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of a plane of the input's size (height x width [x channels]) that the picture takes: a view."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]


def letterbox_corner(pixels: Pixels, width: int, height: int, pad: int) -> tuple[Pixels, Letterbox]:
    """As `letterbox`, but as YOLOX's own code does it: the picture in the top left corner, both sides rounded down, and
    bilinear; only a picture more than twice too large is averaged down to twice the size first, against aliasing."""
    source_height, source_width = pixels.shape[:2]
    scale = min(width / source_width, height / source_height)
    new_width, new_height = max(1, int(source_width * scale)), max(1, int(source_height * scale))
    out = np.full((height, width, 3), pad, np.uint8)
    if scale < 0.5:
        pixels = resize(pixels, 2 * new_width, 2 * new_height)
    out[:new_height, :new_width] = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    return out, Letterbox(scale, 0, 0, new_width, new_height)


def letterbox(pixels: Pixels, width: int, height: int, pad: int = 0) -> tuple[Pixels, Letterbox]:
    """`pixels` (height x width [x 3], uint8) scaled into `width` x `height` (border value `pad`), and where it lies."""
    frame = Letterbox.of((pixels.shape[0], pixels.shape[1]), width, height)
    out = np.full((height, width, *pixels.shape[2:]), pad, np.uint8)
    frame.cut(out)[...] = resize(pixels, frame.width, frame.height)
    return out, frame


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize without aliasing along an axis that shrinks (area average), smoothly along one that grows (bilinear)."""
    # OpenCV averages areas only where both axes shrink: what shrinks goes first, what grows after it.
    shrunk = min(width, pixels.shape[1]), min(height, pixels.shape[0])
    out = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (width, height):
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(out, np.uint8)


def tiles(width: int, height: int, side: int, overlap: float) -> Iterator[tuple[int, int, int, int]]:
    """Squares of `side` pixels (left, top, right, bottom) that cover a picture, each pair of neighbours sharing
    at least `overlap` of its side. A picture smaller than `side` along an axis gives its whole extent there."""

    def starts(extent: int) -> list[int]:
        if extent <= side:
            return [0]
        # Whole pixels: rounding the starts must not open a step that is too wide.
        step = max(1, math.floor(side * (1 - overlap) + 1e-9))
        count = math.ceil((extent - side) / step)
        return [round(index * (extent - side) / count) for index in range(count + 1)]

    for top in starts(height):
        for left in starts(width):
            yield left, top, min(left + side, width), min(top + side, height)


def similarity_transform(source: Points, target: Points) -> Affine:
    """The rotation, uniform scale and shift that best brings `source` to `target` (both N x 2): 2 x 3, least
    squares (Umeyama 1991), never a reflection."""
    source64, target64 = source.astype(np.float64), target.astype(np.float64)
    mean_s, mean_t = source64.mean(axis=0), target64.mean(axis=0)
    s, t = source64 - mean_s, target64 - mean_t
    u, singular, vt = np.linalg.svd(t.T @ s)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = float((singular * sign).sum() / max((s**2).sum(), 1e-12))
    return np.hstack([scale * rotation, (mean_t - scale * rotation @ mean_s)[:, None]])


def robust_similarity_transform(source: Points, target: Points) -> Affine:
    """Like `similarity_transform`, by least median of squares (Rousseeuw 1984): up to half of the points may be
    wrong. Falls back to least squares where the robust fit finds none."""
    affine, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.LMEDS)
    return similarity_transform(source, target) if affine is None else np.asarray(affine, np.float64)


def apply(affine: Affine, points: Points) -> Points:
    """`points` (N x 2) mapped by `affine` (2 x 3)."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)


def warp(pixels: Pixels, affine: Affine, width: int, height: int, *, border: int = cv2.BORDER_CONSTANT) -> Pixels:
    """The `width` x `height` picture whose points are those of `pixels` mapped by `affine`; outside is black,
    or as the OpenCV `border` mode says. Shrinking by more than 2 is done on a blurred copy, against aliasing."""
    shrink = 1 / max(float(np.hypot(affine[0, 0], affine[1, 0])), 1e-9)
    if shrink > 2:
        pixels, affine = _prefiltered(pixels, affine, width, height, shrink)
    # OpenCV puts the centre of the first pixel at (0, 0); this project puts it at (0.5, 0.5).
    shifted = affine.copy()
    shifted[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    out = cv2.warpAffine(pixels, shifted, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(out, np.uint8)


def _prefiltered(pixels: Pixels, affine: Affine, width: int, height: int, shrink: float) -> tuple[Pixels, Affine]:
    """Area-average the part of the picture that the warp will look at, by a whole factor."""
    factor = int(shrink)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    looked_at = apply(invert(affine), corners)
    left, top = np.clip(np.floor(looked_at.min(axis=0)).astype(int) - factor, 0, None)
    right, bottom = np.ceil(looked_at.max(axis=0)).astype(int) + factor
    part = pixels[top:bottom, left:right]
    small_width, small_height = part.shape[1] // factor, part.shape[0] // factor
    if small_width < 1 or small_height < 1:
        return pixels, affine
    part = part[: small_height * factor, : small_width * factor]
    small = resize(part, small_width, small_height)
    to_full = np.array([[factor, 0.0, left], [0.0, factor, top]])
    return small, compose(affine, to_full)


def invert(affine: Affine) -> Affine:
    """The map back."""
    return np.asarray(cv2.invertAffineTransform(affine), np.float64)


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner`, then `outer`."""
    return np.hstack([outer[:, :2] @ inner[:, :2], (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]])


def square_crop(center: tuple[float, float], side: float, angle: float, size: int) -> Affine:
    """The map of a square (centre and side in pixels, turned clockwise by `angle` radians) onto size x size."""
    scale = size / side
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    half = size / 2
    return np.array(
        [
            [cos, sin, half - cos * center[0] - sin * center[1]],
            [-sin, cos, half + sin * center[0] - cos * center[1]],
        ]
    )
