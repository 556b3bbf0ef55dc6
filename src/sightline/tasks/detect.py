"""`detect`: which things are on the photo, and where?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from sightline.architectures.base import ObjectDetector, ObjectFound
from sightline.architectures.tiled import Tiled
from sightline.images.decode import Source
from sightline.images.draw import PALETTE, Sketch
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing: its label, the detector's confidence 0..1, and its box in pixels of the upright picture."""

    label: str
    confidence: float
    box: Box

    @classmethod
    def of(cls, found: ObjectFound, picture: Picture) -> Thing:
        """A thing found in the picture's decoded pixels, in full-size pixels and clipped to the picture."""
        sx, sy = picture.scale
        box = Box(found.box.x * sx, found.box.y * sy, found.box.width * sx, found.box.height * sy)
        return cls(found.label, found.confidence, box.clipped(picture.width, picture.height))

    def to_dict(self) -> dict[str, Any]:
        return {"label": self.label, "confidence": round(self.confidence, 4), "box": self.box.to_dict()}


@dataclass(frozen=True, slots=True)
class DetectQuestion:
    image: Picture = asks("The photo to search.")
    confidence: float | None = asks(
        "Leave out things less certain than this; the model's own threshold if left out.",
        default=None,
        minimum=0.0,
        maximum=1.0,
        example=0.5,
    )
    tiles: bool = asks("Look closer too, on overlapping tiles: finds smaller things, and takes longer.", default=False)


@dataclass(frozen=True, kw_only=True)
class DetectAnswer(Answer):
    """Every thing, most confident first."""

    schema = schema.members(
        objects=schema.each(schema.members(label=schema.STRING, confidence=schema.UNIT, box=schema.BOX)),
        image=schema.FRAME,
    )
    objects: tuple[Thing, ...]
    frame: Frame

    def members(self) -> dict[str, Any]:
        return {"objects": [thing.to_dict() for thing in self.objects], "image": self.frame.to_dict()}

    def draw(self, picture: Source) -> Image.Image:
        """Boxes with labels and confidences; each label has its own colour throughout the picture."""
        sketch = Sketch(picture)
        names = list(dict.fromkeys(thing.label for thing in self.objects))
        # The surest are drawn last, so that they lie on top.
        for thing in reversed(self.objects):
            colour = PALETTE[names.index(thing.label) % len(PALETTE)]
            sketch.box(thing.box, f"{thing.label} {thing.confidence:.0%}", colour)
        return sketch.image


class Detect(Task[DetectQuestion, DetectAnswer]):
    name = "detect"
    summary = "Find everyday things, each with its name, its box and its confidence."
    Question = DetectQuestion
    Answer = DetectAnswer
    # Four tiles along the longer side, each of about the detectors' own size; 4,000 pixels of a phone decode at a half.
    enough = 2000

    def __init__(self, detector: ObjectDetector, settings: Settings) -> None:
        super().__init__((detector,), settings)
        self.detector = detector

    def answer(self, question: DetectQuestion) -> DetectAnswer:
        picture = question.image
        detector = Tiled(self.detector) if question.tiles else self.detector
        found = (Thing.of(thing, picture) for thing in detector.detect(picture.pixels, question.confidence))
        return DetectAnswer(objects=tuple(thing for thing in found if thing.box.area > 0), frame=Frame.of(picture))
