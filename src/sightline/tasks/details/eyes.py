"""Whether eyes are open, and where they look, from the outlines and irises of both eyes.

Constants come from `benchmarks/face_details.py`; `docs/face-details.md` says how, and what the answers are worth.
"""

from __future__ import annotations

import math

import numpy as np

from sightline.architectures.iris import EyeFound
from sightline.tasks.details.logistic import Logistic
from sightline.tasks.details.pose import Head
from sightline.tasks.details.types import EyeDirection, Verdict

Eyes = tuple[EyeFound, EyeFound]
"""The eye at the picture's left, the one at its right."""

# Points of an outline: the middle of the upper lid and, below each, of the lower one; the outer and the inner corner.
_UPPER, _LOWER, _CORNERS = [11, 12, 13], [3, 4, 5], [0, 8]

OPEN = Logistic((24.11,), -11.386)

# Centimetres: from the middle of an eyeball to its iris (Fry and Hill 1962, less the depth of the front chamber); how
# far that middle lies behind the line between the eye's corners; how far the iris of eyes that look straight ahead lies
# above that line.
_RADIUS, _BEHIND, _ABOVE = 1.0, 0.22, 0.15
# The standard deviation in degrees of the yaw: this much, and this much over the eye's width in pixels. From the share
# of portraits whose answer says that they look into the camera, to within 10 degrees: 0.90 at 38 pixels, 0.85 at 11.
_NOISE, _NOISE_OF_WIDTH = 5.7, 14.0
# An answer counts as right within this many degrees.
_WITHIN = 10.0
_EYE_WIDTH = 2.9


def opening(eyes: Eyes, head: Head) -> float:
    """The mean distance between the lids of both eyes, in centimetres of the mean face."""
    gaps = [np.linalg.norm(eye.outline[_UPPER] - eye.outline[_LOWER], axis=1).mean() for eye in eyes]
    return float(np.mean(gaps)) / head.scale


def eyes_open(eyes: Eyes, head: Head) -> Verdict:
    """Whether the eyes are open. Eyes that look down at a page are between both."""
    return Verdict.of(OPEN(opening(eyes, head)))


def eye_direction(eyes: Eyes, head: Head) -> EyeDirection:
    """Where the eyes look relative to the head: the middle of each iris against the middle of an eyeball that the
    head's pose places behind the eye's corners. The confidence is the probability that the yaw is right to within 10
    degrees: the share of portraits for which it was, were everybody in them looking into the camera."""
    offsets = [eye.iris[0].astype(np.float64) - eye.outline[_CORNERS].astype(np.float64).mean(axis=0) for eye in eyes]
    rest = _BEHIND * head.forward + head.rotation @ (0.0, _ABOVE, 0.0)
    across = (np.mean(offsets, axis=0) / head.scale + rest[:2]) / _RADIUS
    length = float(np.hypot(*across))
    across *= min(1.0, 0.95 / max(length, 1e-9))
    towards = head.rotation.T @ (across[0], across[1], -math.sqrt(1 - float(across @ across)))
    yaw = math.degrees(math.atan2(towards[0], -towards[2]))
    pitch = math.degrees(math.atan2(-towards[1], math.hypot(towards[0], towards[2])))
    noise = _NOISE + _NOISE_OF_WIDTH / max(_EYE_WIDTH * head.scale, 1e-6)
    return EyeDirection(yaw, pitch, math.erf(_WITHIN / (noise * math.sqrt(2))))
