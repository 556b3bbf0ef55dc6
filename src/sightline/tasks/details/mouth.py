"""Whether a mouth is open, and whether it smiles, from the points of a face mesh.

The face is turned back to look into the camera and brought to the size of the mean face, so that lengths are in its
centimetres. Each rule is a logistic curve fitted by `benchmarks/face_details.py`; `docs/face-details.md` gives its
figures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sightline.images.geometry import Points
from sightline.tasks.details.logistic import Logistic
from sightline.tasks.details.pose import Head, canonical_face
from sightline.tasks.details.types import Verdict

# Mesh points: under the nose, the corners of the mouth, the outer edges of the lips, the inner ones.
_NOSE, _LEFT, _RIGHT, _UPPER, _LOWER, _INNER_UPPER, _INNER_LOWER = 2, 61, 291, 0, 17, 13, 14
_POINTS = [_NOSE, _LEFT, _RIGHT, _UPPER, _LOWER, _INNER_UPPER, _INNER_LOWER]

OPEN = Logistic((25.20,), -8.392)
SMILE = Logistic((1.540, 3.546, -3.029), -4.757)


class Mouth(NamedTuple):
    """Lengths in centimetres of the mean face."""

    gap: float
    """Between the inner edges of the lips."""
    width: float
    """Between the corners."""
    lift: float
    """By how much the corners lie above the middle of the lips."""
    drop: float
    """By how much the corners lie below the nose."""


def measure(mesh: Points, head: Head) -> Mouth:
    """The mouth of the face whose mesh points (468 x 2, pixels) are `mesh`."""
    nose, left, right, upper, lower, inner_upper, inner_lower = head.across(
        mesh[_POINTS].astype(np.float64), canonical_face()[_POINTS, 2]
    )
    corners = (left + right) / 2
    return Mouth(
        gap=float(np.linalg.norm(inner_lower - inner_upper)),
        width=float(np.linalg.norm(right - left)),
        lift=float((upper + lower)[1] / 2 - corners[1]),
        drop=float(corners[1] - nose[1]),
    )


def mouth_open(mouth: Mouth) -> Verdict:
    """Whether the lips are apart: teeth or the inside of the mouth show."""
    return Verdict.of(OPEN(mouth.gap))


def smile(mouth: Mouth) -> Verdict:
    """Whether the mouth is drawn wide and up."""
    return Verdict.of(SMILE(mouth.width, mouth.lift, mouth.drop))
