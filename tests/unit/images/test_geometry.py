"""Boxes and maps on cases whose answers are known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sightline.images.geometry import (
    Box,
    apply,
    compose,
    invert,
    iou,
    letterbox,
    nms,
    resize,
    robust_similarity_transform,
    similarity_transform,
    square_crop,
    tiles,
    warp,
    weighted_nms,
)

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def f32(values: object) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.fixture
def noise() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_a_box_knows_its_corners_and_area() -> None:
    box = Box(1, 2, 3, 4)
    assert box.corners == (1, 2, 4, 6)
    assert box.area == 12
    assert Box.between(*box.corners) == box
    assert Box(1.006, 2.004, 1 / 3, 0).to_dict() == {"x": 1.01, "y": 2.0, "width": 0.33, "height": 0}


def test_a_box_is_clipped_to_the_picture() -> None:
    assert Box(-5, -5, 20, 20).clipped(10, 8) == Box(0, 0, 10, 8)
    assert Box(2, 2, 3, 3).clipped(10, 8) == Box(2, 2, 3, 3)
    outside = Box(20, -9, 5, 5).clipped(10, 8)
    assert outside.area == 0
    assert outside == Box(10, 0, 0, 0)


def test_overlaps() -> None:
    a = f32([[0, 0, 10, 10], [0, 0, 0, 0]])
    b = f32([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4]])
    assert iou(a, b) == pytest.approx(np.array([[1, 1 / 3, 0, 0.04], [0, 0, 0, 0]]))
    assert iou(a[:0], b).shape == (0, 4)


def test_suppression_keeps_the_best_of_each_cluster() -> None:
    boxes = f32([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [2, 0, 12, 10]])
    assert nms(boxes, f32([0.6, 0.9, 0.3, 0.5]), 0.5) == [1, 2]
    assert nms(boxes, f32([0.6, 0.9, 0.3, 0.5]), 0.95) == [1, 0, 3, 2]
    assert nms(boxes[:0], f32([]), 0.5) == []


def test_suppression_is_greedy() -> None:
    # The middle box overlaps both others; once the first has removed it, the third stays.
    boxes = f32([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    assert nms(boxes, f32([0.9, 0.8, 0.7]), 0.3) == [0, 2]


def test_weighted_suppression_averages_by_score_points_and_all() -> None:
    rows = f32([[0, 0, 10, 10, 100, 0], [50, 50, 60, 60, 7, 7], [2, 0, 12, 10, 200, 50]])
    merged, best = weighted_nms(rows, f32([0.25, 0.5, 0.75]), 0.3)
    assert best.tolist() == [0.75, 0.5]
    assert merged[0] == pytest.approx(f32([1.5, 0, 11.5, 10, 175, 37.5]))
    assert merged[1] == pytest.approx(rows[1])
    # What was merged into the best of one cluster counts in no other.
    chain, _ = weighted_nms(f32([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]]), f32([0.9, 0.8, 0.7]), 0.3)
    assert chain[1].tolist() == [8, 0, 18, 10]
    empty, none = weighted_nms(rows[:0], f32([]), 0.3)
    assert empty.shape == (0, 6)
    assert none.shape == (0,)


def test_a_letterbox_is_centred_and_padded(noise: npt.NDArray[np.uint8]) -> None:
    boxed, back = letterbox(noise, 60, 60, pad=7)
    assert (boxed[:10] == 7).all()
    assert (boxed[50:] == 7).all()
    assert np.array_equal(boxed[10:50], noise)
    assert back.back(f32([[0, 10], [60, 50]])).tolist() == [[0, 0], [60, 40]]
    half, back = letterbox(noise, 30, 50)
    assert np.array_equal(half[15:35], resize(noise, 30, 20))
    assert back.back(f32([[30, 35]])).tolist() == [[60, 40]]


def test_shrinking_averages_areas_along_each_axis() -> None:
    stripes = np.zeros((64, 8, 3), np.uint8)
    stripes[::2] = 200
    assert (resize(stripes, 8, 4) == 100).all()
    assert (resize(stripes, 16, 4) == 100).all(), "an axis that grows must not switch the other one's filter off"
    assert (resize(stripes.transpose(1, 0, 2).copy(), 4, 16) == 100).all()
    assert (resize(stripes, 4, 32) == 100).all()


def test_growing_is_smooth() -> None:
    step = np.zeros((2, 2, 3), np.uint8)
    step[:, 1] = 100
    assert resize(step, 4, 2)[0, :, 0].tolist() == [0, 25, 75, 100]
    same = resize(step, 2, 2)
    assert np.array_equal(same, step)


@pytest.mark.parametrize(("width", "height"), [(30, 20), (64, 64), (64, 65)])
def test_few_tiles_for_a_small_picture(width: int, height: int) -> None:
    found = list(tiles(width, height, 64, 0.25))
    assert len(found) == (1 if height <= 64 else 2)
    assert found[0][:2] == (0, 0)
    assert found[-1][2:] == (width, height)


def test_known_tiles() -> None:
    assert list(tiles(10, 4, 4, 0.25)) == [(0, 0, 4, 4), (3, 0, 7, 4), (6, 0, 10, 4)]


def test_a_fit_never_reflects() -> None:
    source = f32([[0, 0], [10, 0], [0, 10], [10, 9]])
    mirrored = source * f32([-1, 1])
    for fit in (similarity_transform, robust_similarity_transform):
        assert np.linalg.det(fit(source, mirrored)[:, :2]) >= 0
    # Least squares on few points must not reflect either, where a reflection would fit perfectly.
    assert np.linalg.det(similarity_transform(source[:3], mirrored[:3])[:, :2]) > 0


def test_the_robust_fit_bears_wrong_points() -> None:
    rng = np.random.default_rng(1)
    source = rng.uniform(0, 100, (11, 2)).astype(np.float32)
    affine = np.array([[0.8, -0.6, 5], [0.6, 0.8, -3]])
    target = apply(affine, source)
    target[:4] += 80
    assert robust_similarity_transform(source, target) == pytest.approx(affine, abs=0.02)
    assert np.abs(similarity_transform(source, target) - affine).max() > 1


def test_the_identity_changes_no_pixel(noise: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(warp(noise, IDENTITY, 60, 40), noise)


def test_a_shift_by_whole_pixels_is_exact(noise: npt.NDArray[np.uint8]) -> None:
    moved = warp(noise, np.array([[1.0, 0, 4], [0, 1, -3]]), 60, 40)
    assert np.array_equal(moved[:37, 4:], noise[3:, :56])
    assert (moved[37:] == 0).all()
    assert (moved[:, :4] == 0).all()


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks(factor: int) -> None:
    # Only with (0.5, 0.5) as the first pixel's centre do the blocks lie where they should.
    pixels = np.random.default_rng(5).integers(0, 256, (48, 96, 3)).astype(np.uint8)
    small = warp(pixels, np.array([[1 / factor, 0, 0], [0, 1 / factor, 0]]), 96 // factor, 48 // factor)
    blocks = pixels.reshape(48 // factor, factor, 96 // factor, factor, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 1


def test_warping_agrees_with_resizing() -> None:
    pixels = cv2.GaussianBlur(np.random.default_rng(5).integers(0, 256, (60, 80, 3)).astype(np.uint8), (0, 0), 3)
    large = warp(pixels, np.array([[2.0, 0, 0], [0, 2, 0]]), 160, 120, border=cv2.BORDER_REPLICATE)
    assert np.abs(large.astype(int) - resize(pixels, 160, 120)).max() <= 2


@pytest.mark.parametrize("quarter", range(4))
def test_a_square_crop_turned_by_quarters_is_exact(quarter: int, noise: npt.NDArray[np.uint8]) -> None:
    affine = square_crop((30, 20), 16, quarter * math.pi / 2, 16)
    # Turned clockwise: what the crop shows upright lies clockwise in the picture.
    assert np.array_equal(warp(noise, affine, 16, 16), np.rot90(noise[12:28, 22:38], quarter))


def test_a_square_crop_maps_its_corners() -> None:
    affine = square_crop((30, 20), 10, math.radians(30), 100)
    along, down = f32([math.cos(math.radians(30)), math.sin(math.radians(30))]), f32([-0.5, math.cos(math.radians(30))])
    corners = [f32([30, 20]) + 5 * (x * along + y * down) for y in (-1, 1) for x in (-1, 1)]
    wanted = f32([[0, 0], [100, 0], [0, 100], [100, 100]])
    assert apply(affine, f32(corners)) == pytest.approx(wanted, abs=1e-3)


def test_a_turned_square_is_cut_out_upright() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    angle = math.radians(25)
    along, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    corners = np.array([[100, 90] + 30 * (x * along + y * down) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    cv2.fillPoly(picture, [np.round(corners).astype(np.int32)], (255, 255, 255))
    inside = warp(picture, square_crop((100, 90), 56, angle, 56), 56, 56)
    assert inside.mean() > 254
    around = warp(picture, square_crop((100, 90), 120, angle, 60), 60, 60)
    assert around[16:44, 16:44].mean() > 254
    assert around[:14].max() == around[46:].max() == around[:, :14].max() == around[:, 46:].max() == 0


def test_far_outside_of_the_picture_is_black(noise: npt.NDArray[np.uint8]) -> None:
    for center in ((-500.0, 20.0), (500.0, 20.0), (30.0, -500.0), (30.0, 500.0)):
        for side in (16.0, 200.0):
            assert (warp(noise, square_crop(center, side, 0.3, 16), 16, 16) == 0).all()


def test_the_border_can_be_repeated(noise: npt.NDArray[np.uint8]) -> None:
    crop = warp(noise, square_crop((0, 20), 16, 0.0, 16), 16, 16, border=cv2.BORDER_REPLICATE)
    assert np.array_equal(crop[:, 8:], noise[12:28, :8])
    assert (crop[:, :8] == noise[12:28, :1]).all()


def test_maps_back_and_one_after_the_other() -> None:
    points = f32([[0, 0], [10, -3], [7, 7]])
    first, second = square_crop((5, 6), 20, 0.4, 64), np.array([[0.5, 0.2, 3], [-0.1, 2, 1]])
    assert apply(invert(first), apply(first, points)) == pytest.approx(points, abs=1e-4)
    assert apply(compose(second, first), points) == pytest.approx(apply(second, apply(first, points)), rel=1e-4)
