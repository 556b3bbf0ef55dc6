"""`QualityFilter`: which faces are good enough to be compared, and why the others are not.

The bars are this project's own; Rekognition does not publish its. Below LOW, pairs of one person are often missed
(`benchmarks/quality_bars.py`); MEDIUM and HIGH ask for more than the embedding needs. AUTO is LOW.
"""

from __future__ import annotations

from dataclasses import dataclass

from sightline.protocols.rekognition.faces import Seen


@dataclass(frozen=True, slots=True)
class Bar:
    """What a face has at least: detector's confidence 0..1, shorter side of its box in pixels of the picture,
    brightness and sharpness 0..100; and the most degrees that it is turned aside or up and down."""

    confidence: float
    side: float
    brightness: float
    sharpness: float
    yaw: float
    pitch: float


_LOW = Bar(confidence=0.5, side=20, brightness=3, sharpness=20, yaw=60, pitch=50)
BARS: dict[str, Bar] = {
    "AUTO": _LOW,
    "LOW": _LOW,
    "MEDIUM": Bar(confidence=0.6, side=32, brightness=10, sharpness=35, yaw=45, pitch=35),
    "HIGH": Bar(confidence=0.7, side=56, brightness=20, sharpness=45, yaw=30, pitch=25),
}


def reasons(seen: Seen, quality_filter: str) -> list[str]:
    """Rekognition's names for what is wrong with a face, by this filter; none where it is good enough."""
    bar = BARS.get(quality_filter)
    if bar is None:
        return []
    details = seen.details
    pose, box = details.pose, details.face.box
    found = {
        "LOW_CONFIDENCE": details.face.confidence < bar.confidence,
        "SMALL_BOUNDING_BOX": min(box.width, box.height) < bar.side,
        "LOW_BRIGHTNESS": details.quality.brightness < bar.brightness,
        "LOW_SHARPNESS": details.quality.sharpness < bar.sharpness,
        "EXTREME_POSE": pose is not None and (abs(pose.yaw) > bar.yaw or abs(pose.pitch) > bar.pitch),
    }
    return [reason for reason, holds in found.items() if holds]
