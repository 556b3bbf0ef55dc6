"""Heads turned in the picture, for `face_details.py`."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import Delaunay

from sightline.images.geometry import Points
from sightline.images.picture import Pixels
from sightline.tasks.details.pose import Head, canonical_face, rotation_of
from sightline.tasks.details.types import Pose


def turned_head(pixels: Pixels, mesh: Points, head: Head, by: Pose) -> Pixels:
    """The picture with the head turned further: each triangle of the mesh moved to where it would be seen (as in Zhu et
    al. 2016, without filling what was hidden); all else stays."""
    face = canonical_face()
    height, width = pixels.shape[:2]
    flat = head.across(mesh.astype(float), face[:, 2])
    flat -= flat.mean(axis=0) - face.mean(axis=0)[:2]
    solid = np.column_stack([flat, face[:, 2]])
    before, after = (solid @ (head.rotation @ turn).T * head.scale for turn in (np.eye(3), rotation_of(by)))
    shift = (after - before)[:, :2]
    source = mesh.astype(float)
    target = source + shift - shift.mean(axis=0)
    frame = np.array(
        [[x, y] for x in (0, width / 2, width) for y in (0, height / 2, height) if (x, y) != (width / 2, height / 2)]
    )
    source, target = np.vstack([source, frame]), np.vstack([target, frame])
    out = pixels.copy()
    depth = np.concatenate([after[:, 2], np.full(len(frame), after[:, 2].max())])
    triangles = Delaunay(source).simplices
    for corners in triangles[np.argsort(-depth[triangles].mean(axis=1))]:
        a, b = source[corners].astype(np.float32), target[corners].astype(np.float32)
        left, top = np.floor(b.min(axis=0)).astype(int)
        right, bottom = np.ceil(b.max(axis=0)).astype(int) + 1
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if right <= left or bottom <= top or abs(np.linalg.det(np.column_stack([a[1] - a[0], a[2] - a[0]]))) < 1e-3:
            continue
        affine = cv2.getAffineTransform(a, b - np.float32([left, top]))
        piece = cv2.warpAffine(pixels, affine, (right - left, bottom - top), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(piece.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round(b - (left, top)).astype(np.int32), 1)
        np.copyto(out[top:bottom, left:right], piece, where=mask[..., None].astype(bool))
    return out
