"""What holds for boxes and maps of any size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.images.geometry import (
    Box,
    apply,
    compose,
    invert,
    iou,
    letterbox,
    nms,
    similarity_transform,
    square_crop,
    tiles,
    warp,
    weighted_nms,
)

coordinate = st.floats(-1000, 1000, width=32)
length = st.floats(1, 500, width=32)
Floats = npt.NDArray[np.float32]


@st.composite
def boxes(draw: st.DrawFn, most: int = 8) -> Floats:
    rows = draw(st.lists(st.tuples(coordinate, coordinate, length, length), min_size=1, max_size=most))
    array = np.array(rows, np.float32)
    array[:, 2:] += array[:, :2]
    return array


@given(st.builds(Box, coordinate, coordinate, length, length), length, length)
def test_a_clipped_box_lies_inside_both(box: Box, width: float, height: float) -> None:
    left, top, right, bottom = box.clipped(width, height).corners
    assert 0 <= left <= right <= width + 1e-3
    assert 0 <= top <= bottom <= height + 1e-3
    assert box.clipped(width, height).area <= box.area * (1 + 1e-6) + 1e-6


@given(boxes(), boxes())
def test_overlap_is_a_share_and_symmetric(a: Floats, b: Floats) -> None:
    overlap = iou(a, b)
    assert (overlap >= 0).all()
    assert (overlap <= 1 + 1e-3).all()
    assert np.allclose(overlap, iou(b, a).T, atol=1e-5)
    assert np.allclose(np.diag(iou(a, a)), 1, atol=1e-3)


@given(boxes(), st.data(), st.floats(0.05, 0.9))
def test_what_suppression_keeps_is_apart_and_covers_the_rest(a: Floats, data: st.DataObject, threshold: float) -> None:
    scores = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=len(a), max_size=len(a))), np.float32)
    kept = nms(a, scores, threshold)
    overlap = iou(a, a)
    for index in kept:
        assert all(other == index or overlap[index, other] <= threshold for other in kept)
    for index in set(range(len(a))) - set(kept):
        assert any(overlap[index, best] > threshold and scores[best] >= scores[index] for best in kept)
    merged, best = weighted_nms(a, scores, threshold)
    assert len(merged) == len(kept)
    assert np.allclose(best, scores[kept])
    # Means of rows lie between the rows.
    assert (merged.min(axis=0) >= a.min(axis=0) - 1e-2).all()
    assert (merged.max(axis=0) <= a.max(axis=0) + 1e-2).all()


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(8, 128), st.integers(8, 128), st.data())
def test_a_letterbox_and_back(width: int, height: int, to_width: int, to_height: int, data: st.DataObject) -> None:
    boxed, back = letterbox(np.full((height, width, 3), 200, np.uint8), to_width, to_height)
    assert boxed.shape == (to_height, to_width, 3)
    # The rows and columns that the picture covers, mapped back, are the picture's borders: to within the pixel and a
    # half of the input that rounding the size and the centring may cost (one pixel more for what is thinner than one).
    covered = np.argwhere(boxed[..., 0] > 0)
    (top, left), (bottom, right) = covered.min(axis=0), covered.max(axis=0) + 1
    corners = back.back(np.array([[left, top], [right, bottom]], np.float32)) * back.scale
    assert np.abs(corners - np.array([[0, 0], [width, height]]) * back.scale).max() <= 1.5
    # A plane of the input's size is cut to exactly them.
    assert back.cut(boxed).shape == (bottom - top, right - left, 3)
    assert (back.cut(boxed[..., 0]) == 200).all()
    # And points make the whole way exactly.
    x, y = data.draw(st.floats(0, width)), data.draw(st.floats(0, height))
    there = np.array([[x * back.scale + back.left, y * back.scale + back.top]], np.float32)
    assert np.allclose(back.back(there), [[x, y]], atol=1e-3 * max(width, height))


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(4, 700), st.floats(0, 0.75))
def test_tiles_cover_every_pixel_with_the_overlap(width: int, height: int, side: int, overlap: float) -> None:
    assume((width / side + 1) * (height / side + 1) < 10_000)
    found = list(tiles(width, height, side, overlap))
    assert len(set(found)) == len(found)
    for extent, axis in ((width, 0), (height, 1)):
        spans = sorted({(tile[axis], tile[axis + 2]) for tile in found})
        assert spans[0][0] == 0
        assert spans[-1][1] == extent
        assert all(end - start == min(side, extent) for start, end in spans)
        shared = [end - start for (_, end), (start, _) in itertools.pairwise(spans)]
        assert all(pixels >= side * overlap - 1e-6 for pixels in shared)
    columns, rows = ({(tile[axis], tile[axis + 2]) for tile in found} for axis in (0, 1))
    assert len(found) == len(columns) * len(rows)


@given(
    points=arrays.arrays(np.float32, st.tuples(st.integers(3, 9), st.just(2)), elements=st.floats(-100, 100, width=16)),
    scale=st.floats(0.05, 20),
    angle=st.floats(-math.pi, math.pi),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_known_similarity_is_found_again(
    points: Floats, scale: float, angle: float, shift: tuple[float, float]
) -> None:
    assume(points.std(axis=0).max() > 1)
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    affine = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    target = points.astype(np.float64) @ affine[:, :2].T + affine[:, 2]
    found = similarity_transform(points, target)
    assert np.allclose(found[:, :2], affine[:, :2], atol=1e-4 * scale)
    assert np.allclose(found[:, 2], affine[:, 2], atol=1e-2 * scale + 1e-3)


@given(
    arrays.arrays(np.float32, (5, 2), elements=st.floats(-100, 100, width=16)),
    arrays.arrays(np.float32, (5, 2), elements=st.floats(-100, 100, width=16)),
)
def test_no_fit_is_a_reflection_or_a_shear(source: Floats, target: Floats) -> None:
    linear = similarity_transform(source, target)[:, :2]
    assert np.isfinite(linear).all()
    assert np.linalg.det(linear) >= -1e-9
    assert np.allclose(linear, [[linear[0, 0], -linear[1, 0]], [linear[1, 0], linear[0, 0]]], atol=1e-6)


@given(
    center=st.tuples(coordinate, coordinate),
    side=length,
    angle=st.floats(-7, 7),
    size=st.integers(1, 512),
    points=arrays.arrays(np.float32, (4, 2), elements=coordinate),
)
def test_a_crop_is_undone_by_its_inverse(
    center: tuple[float, float], side: float, angle: float, size: int, points: Floats
) -> None:
    crop = square_crop(center, side, angle, size)
    assert np.allclose(
        compose(invert(crop), crop), [[1, 0, 0], [0, 1, 0]], atol=1e-6 * (1 + abs(center[0] + center[1]))
    )
    assert np.allclose(apply(crop, np.array([center], np.float32)), size / 2, atol=1e-2 + 1e-3 * size)
    assert np.allclose(apply(invert(crop), apply(crop, points)), points, atol=0.1)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 80),
    st.integers(1, 80),
    st.tuples(st.floats(-100, 200), st.floats(-100, 200)),
    st.floats(0.5, 2000),
    st.floats(-4, 4),
)
def test_any_crop_of_any_picture_has_its_size_and_no_new_colours(
    width: int, height: int, center: tuple[float, float], side: float, angle: float
) -> None:
    out = warp(np.full((height, width, 3), 100, np.uint8), square_crop(center, side, angle, 24), 24, 24)
    assert out.shape == (24, 24, 3)
    assert out.max() <= 100
