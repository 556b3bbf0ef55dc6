"""`similarity`: which of two pictures shows the person of the anchor?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import FaceDetector, FaceEmbedder, FaceMesher
from sightline.errors import ModelMissing
from sightline.images.decode import Source
from sightline.images.draw import PALETTE, Sketch
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.crops import largest_face
from sightline.tasks.faces import Face
from sightline.tasks.question import asks

NAMES = ("anchor", "img1", "img2")

Closer = Literal["img1", "img2", "neither"]


@dataclass(frozen=True, slots=True)
class SimilarityQuestion:
    anchor: Picture = asks("The picture that the two others are compared with.")
    img1: Picture = asks("The first picture.")
    img2: Picture = asks("The second picture.")
    threshold: float | None = asks(
        "Two faces nearer than this distance count as one person; the model's own threshold if left out.",
        default=None,
        minimum=0.0,
        maximum=4.0,
        example=0.6,
    )


@dataclass(frozen=True, slots=True)
class FaceUsed:
    """The face that was compared, in pixels of its own picture, and how many faces that picture has."""

    face: Face
    count: int
    frame: Frame

    def to_dict(self) -> dict[str, Any]:
        return {
            "box": self.face.box.to_dict(),
            "confidence": round(self.face.confidence, 4),
            "count": self.count,
            "image": self.frame.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class SimilarityAnswer(Answer):
    """`similarity` is the probability, 0..1, that a picture shows the anchor's person if half of all pairs did
    (a logistic curve over the distance; its card says what it was fitted on). `distance` is the one between embeddings
    that the model's card names, Euclidean for most. `more_similar` is the nearer picture, `neither` if no picture is
    near enough to be the same person.
    """

    schema: ClassVar[schema.Schema] = schema.members(
        more_similar={"type": "string", "enum": ["img1", "img2", "neither"]},
        similarity=schema.members(img1=schema.UNIT, img2=schema.UNIT),
        distance=schema.members(img1=schema.NUMBER, img2=schema.NUMBER),
        same_person=schema.members(img1=schema.BOOLEAN, img2=schema.BOOLEAN),
        threshold=schema.NUMBER,
        faces=schema.members(
            **{
                name: schema.members(box=schema.BOX, confidence=schema.UNIT, count=schema.INTEGER, image=schema.FRAME)
                for name in NAMES
            }
        ),
    )
    similarity: tuple[float, float]
    distance: tuple[float, float]
    threshold: float
    faces: tuple[FaceUsed, FaceUsed, FaceUsed]

    @property
    def same_person(self) -> tuple[bool, bool]:
        return self.distance[0] < self.threshold, self.distance[1] < self.threshold

    @property
    def more_similar(self) -> Closer:
        if not any(self.same_person):
            return "neither"
        return "img1" if self.distance[0] <= self.distance[1] else "img2"

    def members(self) -> dict[str, Any]:
        def pair(values: tuple[Any, Any]) -> dict[str, Any]:
            return {"img1": values[0], "img2": values[1]}

        return {
            "more_similar": self.more_similar,
            "similarity": pair((round(self.similarity[0], 4), round(self.similarity[1], 4))),
            "distance": pair((round(self.distance[0], 4), round(self.distance[1], 4))),
            "same_person": pair(self.same_person),
            "threshold": self.threshold,
            "faces": {name: used.to_dict() for name, used in zip(NAMES, self.faces, strict=True)},
        }

    def draw(self, picture: Source, name: str = "anchor") -> Image.Image:
        """The compared face of one of the three pictures: `anchor`, `img1` or `img2`."""
        sketch = Sketch(picture)
        index = NAMES.index(name)
        if index == 0:
            sketch.box(self.faces[0].face.box, "anchor", PALETTE[2])
        else:
            same = self.same_person[index - 1]
            sketch.box(
                self.faces[index].face.box, f"{self.similarity[index - 1]:.0%}", PALETTE[0] if same else PALETTE[3]
            )
        return sketch.image


class Similarity(Task[SimilarityQuestion, SimilarityAnswer]):
    name = "similarity"
    summary = "Which of two pictures shows the person of the anchor picture?"
    Question = SimilarityQuestion
    Answer = SimilarityAnswer
    enough = 1024

    def __init__(
        self, embedder: FaceEmbedder, detector: FaceDetector, mesher: FaceMesher | None, settings: Settings
    ) -> None:
        super().__init__((embedder, detector) if mesher is None else (embedder, detector, mesher), settings)
        (self.card,) = embedder.cards
        if embedder.needs_mesh and mesher is None:
            raise ModelMissing(f"{self.card.name} needs the model facemesh, which is not here")
        self.embedder, self.detector, self.mesher = embedder, detector, mesher

    def answer(self, question: SimilarityQuestion) -> SimilarityAnswer:
        pictures = (question.anchor, question.img1, question.img2)
        found = [self._face(picture, name) for picture, name in zip(pictures, NAMES, strict=True)]
        vectors = self.embedder.embed(np.stack([chip for chip, _ in found]))
        first, second = (self.embedder.distance(vectors[0], vectors[index]) for index in (1, 2))
        given = question.threshold
        return SimilarityAnswer(
            similarity=(self.calibrated(first), self.calibrated(second)),
            distance=(first, second),
            threshold=self.card.threshold("distance") if given is None else given,
            faces=(found[0][1], found[1][1], found[2][1]),
        )

    def drawing(self, answer: SimilarityAnswer, pictures: Mapping[str, Source]) -> Image.Image:
        """The three pictures side by side, at one height, each with the face that was compared."""
        drawn = [answer.draw(pictures[name], name) for name in NAMES]
        height = min(640, max(image.height for image in drawn))
        scaled = [image.resize((max(1, round(image.width * height / image.height)), height)) for image in drawn]
        gap = height // 40
        sheet = Image.new("RGB", (sum(image.width for image in scaled) + gap * (len(scaled) - 1), height), "white")
        left = 0
        for image in scaled:
            sheet.paste(image, (left, 0))
            left += image.width + gap
        return sheet

    def calibrated(self, distance: float) -> float:
        """The probability that two faces at this distance are one person, if half of all pairs were."""
        options = self.card.options
        return 1 / (1 + math.exp(min(60.0, float(options["slope"]) * (distance - float(options["middle"])))))

    def embed(self, picture: Picture, name: str = "image") -> npt.NDArray[np.float32]:
        """The embedding (D numbers) of the largest face of a picture. Raises `NoFace`."""
        return np.asarray(self.embedder.embed(self._face(picture, name)[0][None])[0], np.float32)

    def _face(self, picture: Picture, name: str) -> tuple[Pixels, FaceUsed]:
        face, count = largest_face(self.detector, self.mesher, picture, name)
        mesh = None if self.mesher is None else self.mesher.points(picture.pixels, face)[0]
        chip = self.embedder.align(picture.pixels, face, mesh)
        return chip, FaceUsed(Face.of(face, picture), count, Frame.of(picture))
