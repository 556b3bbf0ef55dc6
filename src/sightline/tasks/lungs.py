"""`lungs`: where are the lungs on a chest X-ray?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import Film, FilmSegmenter
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


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether the answer means anything: the probability, 0..1, that the picture is a chest X-ray, and whether it is
    above the card's threshold; both None where the model cannot judge."""

    chest_xray: float | None
    looks_like_chest_xray: bool | None

    def to_dict(self) -> dict[str, Any]:
        probability = None if self.chest_xray is None else round(self.chest_xray, 4)
        return {"looks_like_chest_xray": self.looks_like_chest_xray, "chest_xray": probability}


@dataclass(frozen=True, kw_only=True)
class LungsAnswer(Answer):
    """`mask` is height x width of the upright picture, uint8, 255 on lung. It says nothing where `quality` says that
    the picture does not look like a chest X-ray. Not for diagnosis."""

    schema: ClassVar[schema.Schema] = schema.members(
        mask=schema.MASK,
        area_pixels=schema.INTEGER,
        coverage=schema.UNIT,
        lungs=schema.each(schema.members(box=schema.BOX, area_pixels=schema.INTEGER)),
        quality=schema.members(
            looks_like_chest_xray={"type": ["boolean", "null"]},
            chest_xray={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        ),
        image=schema.FRAME,
    )
    mask: npt.NDArray[np.uint8]
    lungs: tuple[Lung, ...]
    quality: Quality
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
            "quality": self.quality.to_dict(),
            "image": self.frame.to_dict(),
        }

    def draw(self, picture: Source) -> Image.Image:
        """The lungs tinted and outlined, with a warning where the picture does not look like a chest X-ray."""
        sketch = Sketch(picture)
        sketch.mask(self.mask, _COLOURS[0], 0.35)
        if self.quality.looks_like_chest_xray is False:
            sketch.box(Box(0, 0, self.frame.width, self.frame.height), "not a chest X-ray?", PALETTE[3])
        return sketch.image


class Lungs(Task[LungsQuestion, LungsAnswer]):
    name = "lungs"
    summary = "Mark the lungs on a frontal chest X-ray."
    Question = LungsQuestion
    Answer = LungsAnswer
    enough = 1024

    def __init__(self, segmenter: FilmSegmenter, settings: Settings) -> None:
        super().__init__((segmenter,), settings)
        self.segmenter = segmenter
        (self.card,) = segmenter.cards

    def answer(self, question: LungsQuestion) -> LungsAnswer:
        picture = question.image
        film = self.segmenter.film(picture.pixels)
        full = cv2.resize(film.mask, (picture.width, picture.height), interpolation=cv2.INTER_LINEAR)
        mask = np.asarray((full >= self.card.threshold("score")) * 255, np.uint8)
        mask, lungs = _fields(mask, float(self.card.options.get("smallest_share", 0.005)))
        return LungsAnswer(mask=mask, lungs=lungs, quality=self._quality(film), frame=Frame.of(picture))

    def _quality(self, film: Film) -> Quality:
        if film.chest_xray is None:
            return Quality(None, None)
        return Quality(film.chest_xray, film.chest_xray >= self.card.threshold("chest_xray"))


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
