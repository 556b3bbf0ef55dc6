"""What can be said of one face: small frozen answers. Left and right are the picture's, as Rekognition counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Landmark:
    """A named point of a face, in pixels of the upright picture. `type` is one of Rekognition's thirty names;
    `eyeLeft` is the eye at the picture's left of an upright face: the person's own right eye."""

    type: str
    x: float
    y: float

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type, "x": round(self.x, 2), "y": round(self.y, 2)}


@dataclass(frozen=True, slots=True)
class Pose:
    """How the head is turned, in degrees, -180..180, as seen by the camera.

    `roll`: positive is clockwise in the picture (the eye at the right lies lower). `yaw`: positive is a face
    turned towards the picture's right. `pitch`: positive is a face turned upwards.
    """

    roll: float
    yaw: float
    pitch: float

    def to_dict(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 2) for name in ("roll", "yaw", "pitch")}


@dataclass(frozen=True, slots=True)
class Quality:
    """How bright and how sharp the face is in the picture, 0..100 each; `tasks.details.quality` defines both."""

    brightness: float
    sharpness: float

    def to_dict(self) -> dict[str, float]:
        return {"brightness": round(self.brightness, 2), "sharpness": round(self.sharpness, 2)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the probability, 0.5..1, that this is right."""

    value: bool
    confidence: float

    @classmethod
    def of(cls, probability: float) -> Verdict:
        """The verdict of a probability, 0..1, that the answer is yes."""
        return cls(probability >= 0.5, max(probability, 1 - probability))

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True)
class EyeDirection:
    """Where the eyes look relative to the head, in degrees: `yaw` positive to the picture's right, `pitch`
    positive upwards; `confidence` 0..1."""

    yaw: float
    pitch: float
    confidence: float

    def to_dict(self) -> dict[str, float]:
        return {
            "yaw": round(self.yaw, 2),
            "pitch": round(self.pitch, 2),
            "confidence": round(self.confidence, 4),
        }
