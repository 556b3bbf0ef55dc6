"""What holds for heads of any pose, size and place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.images.geometry import Points
from sightline.tasks.details import eyes as eye_rules
from sightline.tasks.details import mouth as mouth_rules
from sightline.tasks.details.landmarks import place
from sightline.tasks.details.pose import angles, rotation_of, solve_head
from sightline.tasks.details.types import Pose, Verdict
from tests.fakes.heads import DrawnHead, mirror_pairs

PAIRS = mirror_pairs()

poses = st.builds(Pose, roll=st.floats(-170, 170), yaw=st.floats(-60, 60), pitch=st.floats(-45, 45))
heads = st.builds(
    DrawnHead,
    pose=poses,
    scale=st.floats(3, 200),
    center=st.tuples(st.floats(-500, 3000), st.floats(-500, 3000)),
    gap=st.floats(0, 3),
)
mild = st.builds(Pose, roll=st.floats(-30, 30), yaw=st.floats(-30, 30), pitch=st.floats(-20, 20))


def solved(mesh: Points) -> Pose:
    head = solve_head(mesh)
    assert head is not None
    return angles(head.rotation)


def apart(a: float, b: float) -> float:
    """Degrees between two angles."""
    return abs((a - b + 180) % 360 - 180)


@given(poses)
def test_angles_make_the_rotation_and_back(pose: Pose) -> None:
    rotation = rotation_of(pose)
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) > 0
    again = angles(rotation)
    assert apart(again.roll, pose.roll) < 1e-6
    assert abs(again.yaw - pose.yaw) < 1e-6
    assert abs(again.pitch - pose.pitch) < 1e-6


@settings(max_examples=60)
@given(heads)
def test_a_drawn_pose_is_found_again(head: DrawnHead) -> None:
    found = solved(head.mesh)
    assert apart(found.roll, head.pose.roll) < 3
    assert abs(found.yaw - head.pose.yaw) < 3
    assert abs(found.pitch - head.pose.pitch) < 3


@settings(max_examples=60)
@given(heads, st.floats(-180, 180))
def test_turning_the_picture_turns_the_roll_by_as_much_and_nothing_else(head: DrawnHead, by: float) -> None:
    mesh = head.mesh.astype(np.float64)
    cos, sin = math.cos(math.radians(by)), math.sin(math.radians(by))
    turned = (mesh - 100) @ np.array([[cos, sin], [-sin, cos]]) + 100  # clockwise, y down
    before, after = solved(head.mesh), solved(turned.astype(np.float32))
    assert apart(after.roll, before.roll + by) < 0.2
    assert abs(after.yaw - before.yaw) < 0.2
    assert abs(after.pitch - before.pitch) < 0.2


@settings(max_examples=60)
@given(heads)
def test_mirroring_changes_the_sign_of_roll_and_yaw_and_swaps_left_and_right(head: DrawnHead) -> None:
    mirrored = (head.mesh * np.float32([-1, 1]))[PAIRS] + np.float32([4000, 0])
    here, there = solved(head.mesh), solved(mirrored)
    assert apart(there.roll, -here.roll) < 0.2
    assert abs(there.yaw + here.yaw) < 0.2
    assert abs(there.pitch - here.pitch) < 0.2
    at, swapped = place(head.mesh, None), place(mirrored, None)
    for name, (x, y) in at.items():
        other = name.replace("Left", "<").replace("Right", "Left").replace("<", "Right")
        other = other.replace("left", "<").replace("right", "left").replace("<", "right")
        assert np.allclose(swapped[other], (4000 - x, y), atol=0.05 + 0.02 * head.scale), name


@settings(max_examples=60)
@given(heads, st.floats(0.2, 8), st.tuples(st.floats(-900, 900), st.floats(-900, 900)))
def test_size_and_place_change_nothing(head: DrawnHead, scale: float, shift: tuple[float, float]) -> None:
    assume(head.scale * scale > 2)
    moved = (head.mesh.astype(np.float64) * scale + shift).astype(np.float32)
    before, after = solve_head(head.mesh), solve_head(moved)
    assert before is not None
    assert after is not None
    assert np.abs(after.rotation - before.rotation).max() < 0.01
    assert abs(after.scale / before.scale / scale - 1) < 0.01
    a, b = mouth_rules.measure(head.mesh, before), mouth_rules.measure(moved, after)
    assert np.allclose(a, b, atol=0.1)


@settings(max_examples=60)
@given(mild, st.floats(0, 2.5), st.floats(10, 100))
def test_the_gap_between_the_lips_is_measured_whatever_the_pose(pose: Pose, gap: float, scale: float) -> None:
    drawn = DrawnHead(pose=pose, gap=gap, scale=scale)
    head = solve_head(drawn.mesh)
    assert head is not None
    assert abs(mouth_rules.measure(drawn.mesh, head).gap - gap) < 0.1 + 0.1 * gap


@settings(max_examples=60)
@given(mild, st.floats(-25, 25), st.floats(-20, 20), st.floats(0.6, 1.4), st.floats(10, 100))
def test_where_the_eyes_look_is_found_whatever_the_pose(
    pose: Pose, yaw: float, pitch: float, opening: float, scale: float
) -> None:
    drawn = DrawnHead(pose=pose, gaze=(yaw, pitch), opening=opening, scale=scale)
    head = solve_head(drawn.mesh)
    assert head is not None
    direction = eye_rules.eye_direction(drawn.eyes, head)
    assert abs(direction.yaw - yaw) < 6
    assert abs(direction.pitch - pitch) < 6
    assert 0 < direction.confidence < 1
    # The eyes of the mirrored picture look to the other side.
    other = DrawnHead(
        pose=replace(pose, roll=-pose.roll, yaw=-pose.yaw), gaze=(-yaw, pitch), opening=opening, scale=scale
    )
    mirrored = solve_head(other.mesh)
    assert mirrored is not None
    assert abs(eye_rules.eye_direction(other.eyes, mirrored).yaw + direction.yaw) < 0.5


@settings(max_examples=40)
@given(arrays.arrays(np.float32, (468, 2), elements=st.floats(-1e6, 1e6, width=32)))
def test_points_of_any_kind_give_a_rotation_or_nothing(mesh: Points) -> None:
    head = solve_head(mesh)
    if head is not None:
        assert np.allclose(head.rotation @ head.rotation.T, np.eye(3), atol=1e-6)
        assert math.isfinite(head.scale)
        pose = angles(head.rotation)
        assert all(-180 <= value <= 180 for value in (pose.roll, pose.yaw, pose.pitch))


@given(st.floats(0, 1))
def test_a_verdict_is_the_likelier_answer(probability: float) -> None:
    verdict = Verdict.of(probability)
    assert verdict.value == (probability >= 0.5)
    assert 0.5 <= verdict.confidence <= 1
    assert math.isclose(verdict.confidence if verdict.value else 1 - verdict.confidence, probability, abs_tol=1e-12)
