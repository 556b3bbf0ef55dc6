"""`segment`: which pixels belong to which thing, and to which kind of thing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import (
    FigureSegmenter,
    Model,
    ObjectDetector,
    ObjectFound,
    Segmenter,
    SemanticSegmenter,
)
from sightline.architectures.semantic import enlarged
from sightline.architectures.tiled import Tiled
from sightline.images import rle
from sightline.images.decode import Source
from sightline.images.draw import Sketch
from sightline.images.encode import label_png, mask_png
from sightline.images.geometry import Box
from sightline.images.grabcut import cut
from sightline.images.palette import colour_of
from sightline.images.patch import Patch
from sightline.images.picture import Picture
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.person_masks import PersonMasks
from sightline.tasks.question import asks

KINDS = ("both", "instance", "semantic")
FORMS = ("rle", "png")
Outliner = Literal["network", "grabcut"]


@dataclass(frozen=True, slots=True)
class SegmentQuestion:
    image: Picture = asks("The photo.")
    kind: str = asks("A mask for each thing, one map of kinds, or both.", default="both", choices=KINDS)
    mask: str = asks("How things' masks are written: COCO's run lengths, or PNG.", default="rle", choices=FORMS)
    confidence: float | None = asks(
        "Leave out things less certain than this; the detector's own threshold if left out.",
        default=None,
        minimum=0.0,
        maximum=1.0,
        example=0.5,
    )
    tiles: bool = asks("Look closer too, on overlapping tiles: finds smaller things, and takes longer.", default=False)
    most: int = asks("Outline at most so many things, the surest first.", default=50, minimum=1, maximum=300)


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """A thing: its label, the detector's confidence 0..1, its box and its mask in pixels of the upright picture, and
    whether a network that knows people outlined it or GrabCut, which knows colours only."""

    label: str
    confidence: float
    box: Box
    patch: Patch
    outlined_by: Outliner


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """The kind of each pixel: `values` (height x width of the upright picture, uint8) are indices into `labels`."""

    labels: tuple[str, ...]
    values: npt.NDArray[np.uint8]

    def coverage(self) -> dict[int, float]:
        """The share of the picture, 0..1, that each value has; the largest first, none that does not occur."""
        counts = np.bincount(self.values.reshape(-1), minlength=1)
        return {int(value): float(counts[value] / self.values.size) for value in np.argsort(-counts) if counts[value]}

    def to_dict(self) -> dict[str, Any]:
        """Labels that occur, and the map as an 8-bit PNG whose palette indices are the values."""
        named = [
            {"label": self.labels[value], "value": value, "coverage": round(share, 4)}
            for value, share in self.coverage().items()
        ]
        return {"labels": named, "map": {"png": label_png(self.values)}}


_MASK = {
    "oneOf": [
        schema.members(rle=schema.members(size=schema.each(schema.INTEGER), counts=schema.STRING)),
        schema.MASK,
    ]
}


@dataclass(frozen=True, kw_only=True)
class SegmentAnswer(Answer):
    """Every thing with its mask, most confident first; `semantic` is None where only instances were asked for."""

    schema: ClassVar[schema.Schema] = schema.members(
        instances=schema.each(
            schema.members(
                label=schema.STRING,
                confidence=schema.UNIT,
                box=schema.BOX,
                mask=_MASK,
                area_pixels=schema.INTEGER,
                outlined_by={"type": "string", "enum": ["network", "grabcut"]},
            )
        ),
        semantic=schema.maybe(
            schema.members(
                labels=schema.each(schema.members(label=schema.STRING, value=schema.INTEGER, coverage=schema.UNIT)),
                map=schema.MASK,
            )
        ),
        image=schema.FRAME,
    )
    instances: tuple[Instance, ...]
    semantic: LabelMap | None
    frame: Frame
    form: str = "rle"

    def members(self) -> dict[str, Any]:
        return {
            "instances": [self._instance(found) for found in self.instances],
            "semantic": None if self.semantic is None else self.semantic.to_dict(),
            "image": self.frame.to_dict(),
        }

    def _instance(self, found: Instance) -> dict[str, Any]:
        width, height = self.frame.width, self.frame.height
        mask: dict[str, Any]
        if self.form == "png":
            mask = {"png": mask_png(np.asarray(found.patch.full(width, height) * np.uint8(255), np.uint8))}
        else:
            mask = {"rle": rle.encode(found.patch, width, height)}
        return {
            "label": found.label,
            "confidence": round(found.confidence, 4),
            "box": found.box.to_dict(),
            "mask": mask,
            "area_pixels": found.patch.area,
            "outlined_by": found.outlined_by,
        }

    def draw(self, picture: Source) -> Image.Image:
        """Each thing in its own colour with its label; where there are none, the map of kinds with a legend."""
        sketch = Sketch(picture)
        if self.instances or self.semantic is None:
            # The largest are drawn first: what is small lies on top.
            for index in sorted(range(len(self.instances)), key=lambda at: -self.instances[at].patch.area):
                found = self.instances[index]
                sketch.patch(found.patch, colour_of(index))
                sketch.label_at(found.box, f"{found.label} {found.confidence:.0%}", colour_of(index))
            return sketch.image
        kinds = [value for value in self.semantic.coverage() if self.semantic.labels[value] != "background"]
        for value in kinds:
            sketch.mask(np.asarray((self.semantic.values == value) * np.uint8(255), np.uint8), colour_of(value - 1))
        shares = self.semantic.coverage()
        sketch.legend([(f"{self.semantic.labels[v]} {shares[v]:.0%}", colour_of(v - 1)) for v in kinds])
        return sketch.image


class Segment(Task[SegmentQuestion, SegmentAnswer]):
    """`segmenter` names pixels, or knows people only; `outliner` tells people apart; `detector` finds the things."""

    name = "segment"
    summary = "Mark the pixels of each thing, and of each kind of thing."
    Question = SegmentQuestion
    Answer = SegmentAnswer
    enough = 1600

    def __init__(
        self, segmenter: Segmenter, detector: ObjectDetector, outliner: FigureSegmenter | None, settings: Settings
    ) -> None:
        models: tuple[Model | None, ...] = (segmenter, detector, outliner)
        super().__init__(tuple(model for model in models if model is not None), settings)
        self.segmenter, self.detector, self.outliner = segmenter, detector, outliner
        knows_people = not isinstance(segmenter, SemanticSegmenter) or "person" in segmenter.card.labels
        self.people = PersonMasks(outliner, segmenter if knows_people else None)
        self._network_for_people = outliner is not None or knows_people

    def answer(self, question: SegmentQuestion) -> SegmentAnswer:
        picture = question.image
        instances: tuple[Instance, ...] = ()
        if question.kind != "semantic":
            detector = Tiled(self.detector) if question.tiles else self.detector
            found = detector.detect(picture.pixels, question.confidence)[: question.most]
            instances = tuple(one for one in self.outline(picture, found) if one.box.area > 0 and one.patch.area > 0)
        semantic = None if question.kind == "instance" else self.label(picture)
        return SegmentAnswer(instances=instances, semantic=semantic, frame=Frame.of(picture), form=question.mask)

    def outline(self, picture: Picture, things: Sequence[ObjectFound]) -> tuple[Instance, ...]:
        """Each thing (its box in decoded pixels) with its mask, in full-size pixels, in their order. A mask may be
        empty."""
        people = [thing for thing in things if thing.label == "person" and self._network_for_people]
        patches = iter(self.people.outline(picture.pixels, people))
        by_x, by_y = picture.scale
        instances = []
        for thing in things:
            known = thing.label == "person" and self._network_for_people
            patch = next(patches) if known else cut(picture.pixels, thing.box)
            box = Box(thing.box.x * by_x, thing.box.y * by_y, thing.box.width * by_x, thing.box.height * by_y)
            box = box.clipped(picture.width, picture.height)
            patch = patch.scaled(by_x, by_y, picture.width, picture.height)
            instances.append(Instance(thing.label, thing.confidence, box, patch, "network" if known else "grabcut"))
        return tuple(instances)

    def label(self, picture: Picture) -> LabelMap:
        """The kind of each pixel by the segmenter; one that knows people only tells them from the background."""
        size = (picture.width, picture.height)
        if isinstance(self.segmenter, SemanticSegmenter):
            return LabelMap(self.segmenter.card.labels, enlarged(self.segmenter.classes(picture.pixels), *size))
        people = cv2.resize(self.segmenter.mask(picture.pixels), size, interpolation=cv2.INTER_LINEAR)
        values = np.asarray(people >= self.segmenter.card.threshold("mask"), np.uint8)
        return LabelMap(("background", "person"), values)
