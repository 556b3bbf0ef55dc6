"""`emotion`: what does each face express?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import FaceClassifier, FaceDetector, FaceFound
from sightline.errors import InvalidCard
from sightline.images.decode import Source
from sightline.images.draw import PALETTE, Sketch
from sightline.images.geometry import square_crop, warp
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.faces import Face
from sightline.tasks.question import asks

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True, slots=True)
class EmotionQuestion:
    image: Picture = asks("The photo to search for faces.")
    confidence: float = asks(
        "Leave out faces less certain than this.", default=0.0, minimum=0.0, maximum=1.0, example=0.6
    )


@dataclass(frozen=True, slots=True)
class Expression:
    """A face and the probability of each emotion; they sum to 1."""

    face: Face
    scores: dict[str, float]

    @property
    def emotion(self) -> str:
        """The likeliest emotion."""
        return max(self.scores, key=self.scores.__getitem__)

    def to_dict(self) -> dict[str, Any]:
        shown = {name: round(self.scores[name], 4) for name in EMOTIONS}
        return {
            "box": self.face.box.to_dict(),
            "confidence": round(self.face.confidence, 4),
            "emotion": self.emotion,
            "scores": shown,
        }


@dataclass(frozen=True, kw_only=True)
class EmotionAnswer(Answer):
    """Every face, most confident first, with its emotions. An expression seen is not a feeling known."""

    schema: ClassVar[schema.Schema] = schema.members(
        faces=schema.each(
            schema.members(
                box=schema.BOX,
                confidence=schema.UNIT,
                emotion={"type": "string", "enum": list(EMOTIONS)},
                scores=schema.members(**dict.fromkeys(EMOTIONS, schema.UNIT)),
            )
        ),
        image=schema.FRAME,
    )
    faces: tuple[Expression, ...]
    frame: Frame

    def members(self) -> dict[str, Any]:
        return {"faces": [face.to_dict() for face in self.faces], "image": self.frame.to_dict()}

    def draw(self, picture: Source) -> Image.Image:
        """Boxes with the likeliest emotion and its probability."""
        sketch = Sketch(picture)
        for found in self.faces:
            colour = PALETTE[EMOTIONS.index(found.emotion) % len(PALETTE)]
            sketch.box(found.face.box, f"{found.emotion} {found.scores[found.emotion]:.0%}", colour)
        return sketch.image


class Emotion(Task[EmotionQuestion, EmotionAnswer]):
    name = "emotion"
    summary = "Find every face and say which of seven emotions it expresses."
    Question = EmotionQuestion
    Answer = EmotionAnswer
    enough = 2000

    def __init__(self, classifier: FaceClassifier, detector: FaceDetector, settings: Settings) -> None:
        super().__init__((classifier, detector), settings)
        (self.card,) = classifier.cards
        if set(self.card.labels) != set(EMOTIONS):
            raise InvalidCard(f"{self.card.name} names other labels than {', '.join(EMOTIONS)}")
        self.classifier, self.detector = classifier, detector

    def answer(self, question: EmotionQuestion) -> EmotionAnswer:
        picture = question.image
        both = ((found, Face.of(found, picture)) for found in self.detector.detect(picture.pixels))
        kept = [(found, face) for found, face in both if face.confidence >= question.confidence and face.box.area > 0]
        scores = self._scores([self.crop(picture.pixels, found) for found, _ in kept])
        faces = tuple(Expression(face, row) for (_, face), row in zip(kept, scores, strict=True))
        return EmotionAnswer(faces=faces, frame=Frame.of(picture))

    def crop(self, pixels: Pixels, face: FaceFound) -> Pixels:
        """The square of a face as the network was trained to see it, input height x input width x 3."""
        spec, options = self.card.input, self.card.options
        box = face.box
        side = max(box.width, box.height) * float(options.get("margin", 1.0))
        center = (
            box.x + box.width / 2,
            box.y + box.height / 2 + box.height * float(options.get("shift_down", 0.0)),
        )
        affine = square_crop(center, side, 0.0, spec.width)
        return warp(pixels, affine, spec.width, spec.height, border=cv2.BORDER_REPLICATE)

    def _scores(self, crops: list[npt.NDArray[np.uint8]]) -> list[dict[str, float]]:
        if not crops:
            return []
        labels = self.card.labels
        rows = self.classifier.scores(np.stack(crops))
        return [{label: float(value) for label, value in zip(labels, row, strict=True)} for row in rows]
