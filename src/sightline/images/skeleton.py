"""The points of a body, joined the way a body is."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import ImageDraw

from sightline.images.draw import PALETTE, Colour, Sketch

_INK: Colour = (20, 22, 26)
# The person's left and right side, and the middle: told apart at a glance, in any picture.
_LEFT, _RIGHT, _MIDDLE = PALETTE[2], PALETTE[1], PALETTE[0]

_SIDES = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("shoulder", "hip"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("wrist", "thumb"),
    ("wrist", "index"),
    ("wrist", "pinky"),
    ("ankle", "heel"),
    ("heel", "foot_index"),
    ("ankle", "foot_index"),
    ("ear", "eye"),
)
BONES = (
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _SIDES),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("left_eye", "nose"),
    ("right_eye", "nose"),
)
"""Names of points that are joined: COCO's 17, and the hands and feet of models that know them."""


def draw_skeleton(sketch: Sketch, points: Mapping[str, tuple[float, float]], size: float) -> None:
    """Bones between those of `points` (x, y by name, pixels of the upright picture) that are there, and a dot on each.
    `size` is that of the person in pixels: lines on small people are thinner, so that they stay people."""
    pen = ImageDraw.Draw(sketch.image)
    line = max(1, min(round(sketch.line * 1.5), round(size / 45)))
    bones = [(points[a], points[b], _colour(a, b)) for a, b in BONES if a in points and b in points]
    for a, b, _ in bones:
        pen.line([a, b], fill=_INK, width=line + 2 * max(1, line // 2))
    for a, b, colour in bones:
        pen.line([a, b], fill=colour, width=line)
    for name, (x, y) in points.items():
        sketch.point(x, y, _colour(name, name), line * 0.9 / sketch.line)


def _colour(a: str, b: str) -> Colour:
    if "left" in a and "left" in b:
        return _LEFT
    return _RIGHT if "right" in a and "right" in b else _MIDDLE
