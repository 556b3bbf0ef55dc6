"""Whether a face is cut off by the picture's border. No model here sees what covers a face."""

from __future__ import annotations

from collections.abc import Mapping

from sightline.tasks.details.landmarks import DEFAULT
from sightline.tasks.details.pose import Head
from sightline.tasks.details.types import Verdict

# A landmark counts as outside where it lies this far beyond the border, in centimetres of the mean face.
_BEYOND = 0.5
# All 97 times that this rule said yes it was right (`benchmarks/face_details.py`): with a confidence of 95% it is so
# more often than this.
_RIGHT = 0.97


def cut_off(placed: Mapping[str, tuple[float, float]], width: int, height: int, head: Head) -> Verdict | None:
    """Yes where an eye, the nose or a corner of the mouth (landmarks in pixels) lies outside a picture of `width` x
    `height` pixels; None where they all lie inside, which says nothing of what may cover them."""
    margin = _BEYOND * head.scale
    for name in DEFAULT:
        x, y = placed[name]
        if x < -margin or y < -margin or x > width + margin or y > height + margin:
            return Verdict(True, _RIGHT)
    return None
