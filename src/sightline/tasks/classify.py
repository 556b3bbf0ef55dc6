"""`classify`: what does the picture show?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from sightline.architectures.base import Labeller
from sightline.images.decode import Source
from sightline.images.draw import PALETTE, Sketch
from sightline.images.picture import Picture
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks


@dataclass(frozen=True, slots=True)
class ClassifyQuestion:
    image: Picture = asks("The picture to name.")
    top: int = asks("How many labels to give at most.", default=5, minimum=1, maximum=1000)
    confidence: float | None = asks(
        "Leave out labels less certain than this; the model's own limit if left out.",
        default=None,
        minimum=0.0,
        maximum=1.0,
        example=0.2,
    )


@dataclass(frozen=True, slots=True)
class Label:
    """A name and the probability, 0..1, that it is right."""

    name: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, kw_only=True)
class ClassifyAnswer(Answer):
    """The labels, the likeliest first. Where the model can tell that a picture is unlike everything it was taught,
    `none_of_these` says so, and then there are no labels; it is None where the model cannot tell."""

    schema: ClassVar[schema.Schema] = schema.members(
        labels=schema.each(schema.members(name=schema.STRING, confidence=schema.UNIT)),
        none_of_these={"type": ["boolean", "null"]},
        image=schema.FRAME,
    )
    labels: tuple[Label, ...]
    none_of_these: bool | None
    frame: Frame

    def members(self) -> dict[str, Any]:
        return {
            "labels": [label.to_dict() for label in self.labels],
            "none_of_these": self.none_of_these,
            "image": self.frame.to_dict(),
        }

    def draw(self, picture: Source) -> Image.Image:
        """The labels in the picture's upper left corner, one below the other."""
        sketch = Sketch(picture)
        lines = [f"{label.name} {label.confidence:.0%}" for label in self.labels]
        if self.none_of_these:
            lines = ["none of these"]
        step = round(sketch.letter * 1.75)
        for index, line in enumerate(lines):
            bottom = (index + 1) * step
            if bottom > sketch.image.height:
                break
            sketch.label(line, sketch.line, bottom, PALETTE[index % len(PALETTE)])
        return sketch.image


class Classify(Task[ClassifyQuestion, ClassifyAnswer]):
    name = "classify"
    summary = "Name what a picture shows, by the labels of the model."
    Question = ClassifyQuestion
    Answer = ClassifyAnswer
    enough = 1024

    def __init__(self, labeller: Labeller, settings: Settings) -> None:
        super().__init__((labeller,), settings)
        self.labeller = labeller
        (self.card,) = labeller.cards

    def answer(self, question: ClassifyQuestion) -> ClassifyAnswer:
        picture = question.image
        named = self.labeller.classify(picture.pixels)
        strange = None if named.distance is None else named.distance > self.card.threshold("distance")
        order = np.argsort(-named.confidences, kind="stable")[: 0 if strange else question.top]
        labels = (Label(self.card.labels[index], float(named.confidences[index])) for index in order)
        least = self.card.thresholds.get("score", 0.0) if question.confidence is None else question.confidence
        kept = tuple(label for label in labels if label.confidence >= least)
        return ClassifyAnswer(labels=kept, none_of_these=strange, frame=Frame.of(picture))
