"""How bright and how sharp a face is, measured at one size for every face."""

from __future__ import annotations

import math

import cv2
import numpy as np

from sightline.images.geometry import Box, Points, apply, square_crop, warp
from sightline.images.picture import Pixels
from sightline.images.quality import Tones
from sightline.tasks.details.types import Quality

# Every face is looked at in this many pixels: a smaller one is blurred in them, as it is to a reader of faces.
_SIDE = 128


def face_quality(pixels: Pixels, box: Box, mesh: Points | None) -> Quality:
    """Of the face whose box and, where known, 468 mesh points (pixels of `pixels`, height x width x 3 RGB uint8) these
    are. Brightness is the mean CIE L* of the skin inside the mesh (of the box, without one); sharpness is
    `images.quality.Tones.sharpness` of the face brought to 128 pixels. What lies outside the picture does not count."""
    if mesh is None:
        left, top, right, bottom = box.corners
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
        center, side, angle = ((left + right) / 2, (top + bottom) / 2), max(box.width, box.height), 0.0
    else:
        corners = np.asarray(cv2.convexHull(mesh)[:, 0], np.float32)
        across = mesh[263].astype(float) - mesh[33].astype(float)
        angle = math.atan2(across[1], across[0])
        center = (float(mesh[:, 0].mean()), float(mesh[:, 1].mean()))
        side = 2 * float(np.linalg.norm(corners - np.array(center, np.float32), axis=1).max())
    crop = square_crop(center, max(side, 1.0), angle, _SIDE)
    height, width = pixels.shape[:2]
    inside = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    weights = _filled(apply(crop, corners)) * _filled(apply(crop, inside))
    tones = Tones(warp(pixels, crop, _SIDE, _SIDE, border=cv2.BORDER_REPLICATE))
    return Quality(tones.brightness(weights), tones.sharpness(weights))


def _filled(corners: Points) -> np.ndarray:
    mask = np.zeros((_SIDE, _SIDE), np.float32)
    limit = np.float32(1 << 14)
    cv2.fillConvexPoly(mask, np.clip(corners, -limit, limit).round().astype(np.int32), 1.0)
    return mask
