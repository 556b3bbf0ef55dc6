"""`pose`: how does each person stand, sit or move?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from sightline.architectures.people import PersonDetector, PersonFound, PoseFound, PoseNetwork, find_people
from sightline.errors import InvalidCard
from sightline.images.decode import Source
from sightline.images.draw import Sketch
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.images.skeleton import draw_skeleton
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks

KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""COCO's 17 points, in its order (Lin et al. 2014, arXiv 1405.0312)."""

_POINT = schema.members(x=schema.NUMBER, y=schema.NUMBER, confidence=schema.UNIT)


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A point of a body in pixels of the upright picture, and how sure it is, 0..1. It may lie outside of the picture,
    where the body goes on."""

    x: float
    y: float
    confidence: float

    def to_dict(self) -> dict[str, float]:
        return {"x": round(self.x, 2), "y": round(self.y, 2), "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True)
class Person:
    """A person: the box, the detector's confidence 0..1, the points by name; left and right are the person's own."""

    box: Box
    confidence: float
    keypoints: dict[str, Keypoint]

    def to_dict(self) -> dict[str, Any]:
        points = {name: point.to_dict() for name, point in self.keypoints.items()}
        return {"box": self.box.to_dict(), "confidence": round(self.confidence, 4), "keypoints": points}


@dataclass(frozen=True, slots=True)
class PoseQuestion:
    image: Picture = asks("The photo to search for people.")
    confidence: float | None = asks(
        "Leave out people less certain than this; the detector's own threshold if left out.",
        default=None,
        minimum=0.0,
        maximum=1.0,
        example=0.5,
    )


@dataclass(frozen=True, kw_only=True)
class PoseAnswer(Answer):
    """Every person, most confident first."""

    schema: ClassVar[schema.Schema] = schema.members(
        people=schema.each(
            schema.members(
                box=schema.BOX,
                confidence=schema.UNIT,
                keypoints={
                    "type": "object",
                    "properties": dict.fromkeys(KEYPOINTS, _POINT),
                    "required": list(KEYPOINTS),
                    "additionalProperties": _POINT,
                },
            )
        ),
        image=schema.FRAME,
    )
    people: tuple[Person, ...]
    frame: Frame
    sure: float
    """Points less confident than this are not drawn."""

    def members(self) -> dict[str, Any]:
        return {"people": [person.to_dict() for person in self.people], "image": self.frame.to_dict()}

    def draw(self, picture: Source) -> Image.Image:
        """Boxes with confidences, and the skeletons of the points that are sure enough."""
        sketch = Sketch(picture)
        for person in self.people:
            sketch.box(person.box, f"{person.confidence:.0%}")
        for person in self.people:
            sure = {name: (p.x, p.y) for name, p in person.keypoints.items() if p.confidence >= self.sure}
            draw_skeleton(sketch, sure, max(person.box.width, person.box.height))
        return sketch.image


class Pose(Task[PoseQuestion, PoseAnswer]):
    name = "pose"
    summary = "Find every person, and where their joints are."
    Question = PoseQuestion
    Answer = PoseAnswer
    enough = 2000

    def __init__(self, estimator: PoseNetwork, detector: PersonDetector, settings: Settings) -> None:
        super().__init__((estimator, detector), settings)
        (card,) = estimator.cards
        absent = [name for name in KEYPOINTS if name not in card.labels]
        if absent:
            raise InvalidCard(f"{card.name} names no {absent[0]}; a pose has all of COCO's 17 points")
        self.card, self.estimator, self.detector = card, estimator, detector

    def answer(self, question: PoseQuestion) -> PoseAnswer:
        picture = question.image
        return self.of(picture, find_people(self.detector, picture.pixels, question.confidence))

    def of(self, picture: Picture, people: Sequence[PersonFound]) -> PoseAnswer:
        """The poses of people whose places (decoded pixels) are known."""
        posed = ((person, self.estimator.pose(picture.pixels, person)) for person in people)
        least = self.card.thresholds.get("presence", 0.0)
        kept = [
            self._person(picture, person, pose)
            for person, pose in posed
            if pose.presence is None or pose.presence >= least
        ]
        return PoseAnswer(
            people=tuple(person for person in kept if person.box.area > 0),
            frame=Frame.of(picture),
            sure=self.card.threshold("point"),
        )

    def _person(self, picture: Picture, found: PersonFound, pose: PoseFound) -> Person:
        sx, sy = picture.scale
        box = found.box if found.upright is None else _around(pose, self.card.threshold("point"), found.box)
        full = Box(box.x * sx, box.y * sy, box.width * sx, box.height * sy).clipped(picture.width, picture.height)
        points = {
            name: Keypoint(float(x) * sx, float(y) * sy, float(score))
            for name, (x, y), score in zip(self.card.labels, pose.points, pose.scores, strict=True)
        }
        # COCO's names first, in its order, whatever the model's own.
        names = (*KEYPOINTS, *(name for name in points if name not in KEYPOINTS))
        return Person(full, found.confidence, {name: points[name] for name in names})


def _around(pose: PoseFound, least: float, otherwise: Box) -> Box:
    """The box around the points that are sure enough, with room for what of a body lies outside of its joints."""
    sure = pose.points[pose.scores >= least]
    if len(sure) < 2:
        return otherwise
    (left, top), (right, bottom) = sure.min(axis=0), sure.max(axis=0)
    room = 0.1 * float(np.hypot(right - left, bottom - top))
    return Box.between(left - room, top - room, right + room, bottom + room)
