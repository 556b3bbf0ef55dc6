"""`faces`: where are the faces?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from PIL import Image

from sightline.architectures.base import FaceDetector, FaceFound
from sightline.images.decode import Source
from sightline.images.draw import Sketch
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its box, the detector's confidence 0..1, and its landmarks by name (x, y). Pixels of the upright
    picture; left and right are the person's own. A Haar cascade gives no landmarks."""

    box: Box
    confidence: float
    landmarks: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, found: FaceFound, picture: Picture) -> Face:
        """A face found in the picture's decoded pixels, in full-size pixels and clipped to the picture."""
        sx, sy = picture.scale
        box = Box(found.box.x * sx, found.box.y * sy, found.box.width * sx, found.box.height * sy)
        points = {name: (x * sx, y * sy) for name, (x, y) in found.points.items()}
        return cls(box.clipped(picture.width, picture.height), found.confidence, points)

    def to_dict(self) -> dict[str, Any]:
        landmarks = {name: {"x": round(x, 2), "y": round(y, 2)} for name, (x, y) in self.landmarks.items()}
        return {"box": self.box.to_dict(), "confidence": round(self.confidence, 4), "landmarks": landmarks}


@dataclass(frozen=True, slots=True)
class FacesQuestion:
    image: Picture = asks("The photo to search.")
    confidence: float = asks(
        "Leave out faces less certain than this.", default=0.0, minimum=0.0, maximum=1.0, example=0.6
    )


@dataclass(frozen=True, kw_only=True)
class FacesAnswer(Answer):
    """Every face, most confident first."""

    schema: ClassVar[schema.Schema] = schema.members(
        faces=schema.each(schema.members(box=schema.BOX, confidence=schema.UNIT, landmarks=schema.keyed(schema.POINT))),
        image=schema.FRAME,
    )
    faces: tuple[Face, ...]
    frame: Frame

    def members(self) -> dict[str, Any]:
        return {"faces": [face.to_dict() for face in self.faces], "image": self.frame.to_dict()}

    def draw(self, picture: Source) -> Image.Image:
        """Boxes with confidences, and landmarks."""
        sketch = Sketch(picture)
        for face in self.faces:
            sketch.box(face.box, f"{face.confidence:.0%}")
            for x, y in face.landmarks.values():
                sketch.point(x, y)
        return sketch.image


class Faces(Task[FacesQuestion, FacesAnswer]):
    name = "faces"
    summary = "Find every face, with its box, its confidence and its landmarks."
    Question = FacesQuestion
    Answer = FacesAnswer
    # The detector itself looks at about as many; 4,000 pixels of a common phone decode at a half.
    enough = 2000

    def __init__(self, detector: FaceDetector, settings: Settings) -> None:
        super().__init__((detector,), settings)
        self.detector = detector

    def answer(self, question: FacesQuestion) -> FacesAnswer:
        picture = question.image
        faces = (Face.of(found, picture) for found in self.detector.detect(picture.pixels))
        kept = tuple(face for face in faces if face.confidence >= question.confidence and face.box.area > 0)
        return FacesAnswer(faces=kept, frame=Frame.of(picture))
