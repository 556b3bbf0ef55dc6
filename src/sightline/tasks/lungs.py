"""`lungs`: where are the lungs on a chest X-ray?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import Segmenter
from sightline.images.decode import Source
from sightline.images.draw import PALETTE, Sketch
from sightline.images.encode import mask_png
from sightline.images.geometry import Box
from sightline.images.picture import Picture
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks

_COLOURS = (PALETTE[0], PALETTE[2])


@dataclass(frozen=True, slots=True)
class LungsQuestion:
    image: Picture = asks("A frontal chest X-ray.")


@dataclass(frozen=True, slots=True)
class Lung:
    """One connected lung field."""

    box: Box
    area_pixels: int

    def to_dict(self) -> dict[str, Any]:
        return {"box": self.box.to_dict(), "area_pixels": self.area_pixels}


@dataclass(frozen=True, kw_only=True)
class LungsAnswer(Answer):
    """`mask` is height x width of the upright picture, uint8, 255 on lung. Not for diagnosis."""

    schema: ClassVar[schema.Schema] = schema.members(
        mask=schema.MASK,
        area_pixels=schema.INTEGER,
        coverage=schema.UNIT,
        lungs=schema.each(schema.members(box=schema.BOX, area_pixels=schema.INTEGER)),
        image=schema.FRAME,
    )
    mask: npt.NDArray[np.uint8]
    lungs: tuple[Lung, ...]
    frame: Frame

    @property
    def area_pixels(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    def members(self) -> dict[str, Any]:
        return {
            "mask": {"png": mask_png(self.mask)},
            "area_pixels": self.area_pixels,
            "coverage": round(self.area_pixels / self.mask.size, 4),
            "lungs": [lung.to_dict() for lung in self.lungs],
            "image": self.frame.to_dict(),
        }

    def draw(self, picture: Source) -> Image.Image:
        """The lungs tinted and outlined."""
        sketch = Sketch(picture)
        sketch.mask(self.mask, _COLOURS[0], 0.35)
        return sketch.image


class Lungs(Task[LungsQuestion, LungsAnswer]):
    name = "lungs"
    summary = "Mark the lungs on a frontal chest X-ray."
    Question = LungsQuestion
    Answer = LungsAnswer
    enough = 1024

    def __init__(self, segmenter: Segmenter, settings: Settings) -> None:
        super().__init__((segmenter,), settings)
        self.segmenter = segmenter
        (self.card,) = segmenter.cards

    def answer(self, question: LungsQuestion) -> LungsAnswer:
        picture = question.image
        probability = self.segmenter.mask(picture.pixels)
        full = cv2.resize(probability, (picture.width, picture.height), interpolation=cv2.INTER_LINEAR)
        mask = np.asarray((full >= self.card.threshold("score")) * 255, np.uint8)
        mask, lungs = _fields(mask, float(self.card.options.get("smallest_share", 0.005)))
        return LungsAnswer(mask=mask, lungs=lungs, frame=Frame.of(picture))


def _fields(mask: npt.NDArray[np.uint8], smallest: float) -> tuple[npt.NDArray[np.uint8], tuple[Lung, ...]]:
    """The two largest connected fields that cover at least `smallest` of the picture, holes filled; the rest of the
    mask is dropped: a person has two lungs."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    order = [int(i) for i in np.argsort(-stats[1:, cv2.CC_STAT_AREA]) + 1][:2]
    kept = np.zeros_like(mask)
    lungs = []
    for index in order:
        if stats[index, cv2.CC_STAT_AREA] < smallest * mask.size:
            continue
        field = (labels == index).astype(np.uint8)
        contours, _ = cv2.findContours(field, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(field, contours, -1, 1, cv2.FILLED)
        kept[field > 0] = 255
        left, top, width, height = (int(stats[index, column]) for column in range(4))
        lungs.append(Lung(Box(left, top, width, height), int(field.sum())))
    return kept, tuple(lungs)
