"""BlazeFace: a single-shot face detector with six points (Bazarevsky et al. 2019, arXiv 1907.05047).

The full-range variant sees a face of about a fifteenth of its input's side; smaller ones in a large picture
are found on tiles.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, FaceFound
from sightline.images.geometry import Box, letterbox, resize, tiles, weighted_nms
from sightline.images.picture import Pixels

# The network's own order. Left and right are the person's.
POINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")

Rows = npt.NDArray[np.float32]


class BlazeFace(Architecture):
    """Card options: `strides` and `anchors_per_cell` (the network's grid), `tiles` (the sides in pixels of the
    squares searched besides the whole picture), `tile_overlap` and `longest` (the picture is shrunk to this side
    before tiling). Thresholds: `score`, `tile_score` (a face seen on tiles only), `iou` (for merging)."""

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[FaceFound]:
        """Every face of height x width x 3 RGB uint8, most confident first; `at_least` replaces both scores."""
        rows, scores = self.search(pixels, at_least)
        return [
            FaceFound(
                Box.between(*map(float, row[:4])),
                float(score),
                {name: (float(row[4 + 2 * i]), float(row[5 + 2 * i])) for i, name in enumerate(POINTS)},
            )
            for row, score in zip(rows, scores, strict=True)
        ]

    def search(self, pixels: Pixels, at_least: float | None) -> tuple[Rows, npt.NDArray[np.float32]]:
        """The network's own rows, most confident first: a box (left, top, right, bottom) and the network's points
        (x, y each), in pixels of `pixels`; and the score of each, 0..1."""
        found = [self._run(pixels, self.card.threshold("score") if at_least is None else at_least)]
        found += self._search_tiles(pixels, at_least)
        rows = np.concatenate([rows for rows, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        if len(rows) == 0:
            return rows, scores
        return weighted_nms(rows, scores, self.card.threshold("iou"))

    def _search_tiles(self, pixels: Pixels, at_least: float | None) -> list[tuple[Rows, npt.NDArray[np.float32]]]:
        height, width = pixels.shape[:2]
        shrink = min(1.0, int(self.card.options.get("longest", 2048)) / max(height, width))
        if shrink < 1:
            pixels = resize(pixels, max(1, round(width * shrink)), max(1, round(height * shrink)))
            height, width = pixels.shape[:2]
        found = []
        overlap = float(self.card.options.get("tile_overlap", 0.25))
        sides = [side for side in self.card.options.get("tiles", ()) if side < max(height, width)]
        for left, top, right, bottom in (tile for side in sides for tile in tiles(width, height, side, overlap)):
            least = self.card.threshold("tile_score") if at_least is None else at_least
            rows, scores = self._run(pixels[top:bottom, left:right], least)
            whole = _not_cut(rows, (left, top, right, bottom), (width, height))
            rows = rows[whole]
            rows[:, 0::2] += left
            rows[:, 1::2] += top
            found.append((rows / np.float32(shrink), scores[whole]))
        return found

    def _run(self, pixels: Pixels, least: float) -> tuple[Rows, npt.NDArray[np.float32]]:
        spec = self.card.input
        boxed, back = letterbox(pixels, spec.width, spec.height)
        outputs = self.engine.run(self.prepare(boxed[None]))
        raw, logits = sorted((output[0] for output in outputs), key=lambda output: -output.shape[-1])
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
        good = scores >= least
        raw, scores, anchors = raw[good], scores[good].astype(np.float32), self._anchors[good]
        # Each row: centre x, centre y, width, height, the points, all in input pixels relative to the anchor.
        points = raw.reshape(len(raw), raw.shape[1] // 2, 2) + anchors[:, None, :]
        half = raw[:, 2:4] / 2
        corners = np.concatenate([points[:, :1] - half[:, None], points[:, :1] + half[:, None], points[:, 2:]], axis=1)
        return back.back(corners.reshape(-1, 2)).reshape(raw.shape), scores

    @cached_property
    def _anchors(self) -> Rows:
        """The centre of each anchor in input pixels, N x 2, row by row of each grid."""
        spec, options = self.card.input, self.card.options
        grids = []
        for stride, repeat in _merge_equal(options["strides"], options["anchors_per_cell"]):
            ys, xs = np.mgrid[0 : -(-spec.height // stride), 0 : -(-spec.width // stride)]
            centers = np.stack([xs, ys], axis=-1).reshape(-1, 2) + 0.5
            grids.append(np.repeat(centers * stride, repeat, axis=0))
        return np.concatenate(grids).astype(np.float32)


def _merge_equal(strides: list[int], per_cell: int) -> list[tuple[int, int]]:
    """Layers of equal stride lie interleaved on one grid: (stride, anchors a cell) for each grid."""
    counts: dict[int, int] = {}
    for stride in strides:
        counts[stride] = counts.get(stride, 0) + per_cell
    return list(counts.items())


def _not_cut(
    rows: Rows, tile: tuple[int, int, int, int], size: tuple[int, int], margin: float = 2.0
) -> npt.NDArray[np.bool_]:
    """Rows whose box does not reach over an inner border of its tile: those faces are whole on a neighbour."""
    left, top, right, bottom = tile
    width, height = size
    keep = np.ones(len(rows), bool)
    if left > 0:
        keep &= rows[:, 0] > margin
    if top > 0:
        keep &= rows[:, 1] > margin
    if right < width:
        keep &= rows[:, 2] < right - left - margin
    if bottom < height:
        keep &= rows[:, 3] < bottom - top - margin
    return keep
