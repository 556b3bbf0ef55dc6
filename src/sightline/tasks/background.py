"""`background`: keep the people, replace the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.architectures.base import Segmenter
from sightline.backgrounds.base import Background, cover
from sightline.backgrounds.choose import PROVIDERS, choose
from sightline.backgrounds.color import solid
from sightline.errors import FetchRefused, InvalidOption
from sightline.images.decode import Source
from sightline.images.draw import canvas
from sightline.images.encode import mask_png
from sightline.images.matting import composite, foreground, refine
from sightline.images.picture import Picture, Pixels
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Frame, Task
from sightline.tasks.question import asks

_CHOICES = ("query", "background", "color", "blur", "transparent")


@dataclass(frozen=True, slots=True)
class BackgroundQuestion:
    """At most one of `background`, `query`, `color`, `blur` and `transparent`; none of them means transparent."""

    image: Picture = asks("The photo of people.")
    background: Picture | None = asks("The picture to put behind them.", default=None)
    query: str | None = asks("Search words for the new background.", default=None, example="sunset")
    color: str | None = asks("A CSS colour, such as white or #1e90ff.", default=None)
    blur: bool = asks("Blur the photo's own background.", default=False)
    transparent: bool = asks("Leave the background transparent.", default=False)
    provider: str = asks("Who searches for the query.", default="gallery", choices=PROVIDERS)
    fallback: bool = asks("Use the gallery if an online provider cannot be reached.", default=False)


@dataclass(frozen=True, kw_only=True)
class BackgroundAnswer(Answer):
    """`mask`: height x width of the upright picture, uint8, 255 on people, soft at the rim. `coverage`: the share
    of the picture that is people. `behind`: the new background at the picture's size, None for transparency."""

    schema: ClassVar[schema.Schema] = schema.members(
        mask=schema.MASK,
        coverage=schema.UNIT,
        background=schema.members(
            source=schema.STRING,
            title=schema.STRING,
            licence=schema.STRING,
            url=schema.maybe(schema.STRING),
            author=schema.maybe(schema.STRING),
        ),
        image=schema.FRAME,
    )
    mask: npt.NDArray[np.uint8]
    behind: Background | None
    blurred: bool
    frame: Frame
    _about: dict[str, str | None] = field(repr=False)

    @property
    def coverage(self) -> float:
        return float(self.mask.mean()) / 255

    def members(self) -> dict[str, Any]:
        return {
            "mask": {"png": mask_png(self.mask)},
            "coverage": round(self.coverage, 4),
            "background": self._about,
            "image": self.frame.to_dict(),
        }

    def caption(self) -> dict[str, Any]:
        return {"coverage": round(self.coverage, 4), "background": self._about}

    def draw(self, picture: Source) -> Image.Image:
        """The people in front of the new background: RGB, or RGBA where it is transparent."""
        pixels = canvas(picture)
        alpha = np.asarray(self.mask / np.float32(255), np.float32)
        people = foreground(pixels, alpha)
        if self.blurred:
            return Image.fromarray(composite(people, alpha, blur(pixels, alpha)))
        if self.behind is None:
            return Image.fromarray(np.dstack([people, self.mask]))
        return Image.fromarray(composite(people, alpha, self.behind.pixels))


class BackgroundChanger(Task[BackgroundQuestion, BackgroundAnswer]):
    name = "background"
    summary = "Keep the people and replace the rest: by a search, a picture, a colour, a blur or nothing."
    Question = BackgroundQuestion
    Answer = BackgroundAnswer
    answers_picture = True

    def __init__(self, segmenter: Segmenter, settings: Settings) -> None:
        super().__init__((segmenter,), settings)
        self.segmenter = segmenter

    def answer(self, question: BackgroundQuestion) -> BackgroundAnswer:
        picture = question.image
        chosen = [name for name in _CHOICES if getattr(question, name) not in (None, False)]
        if len(chosen) > 1:
            raise InvalidOption(f"choose one of {', '.join(_CHOICES)}, not {' and '.join(chosen)}")
        behind = self._behind(question)
        alpha = refine(self.segmenter.mask(picture.pixels), picture.pixels)
        return BackgroundAnswer(
            mask=np.asarray(alpha * 255 + 0.5, np.uint8),
            behind=behind,
            blurred=question.blur,
            frame=Frame.of(picture),
            _about=behind.to_dict() if behind else _itself("blur" if question.blur else "transparent"),
        )

    def _behind(self, question: BackgroundQuestion) -> Background | None:
        size = (question.image.width, question.image.height)
        if question.query is not None:
            if question.provider != "gallery" and not self.settings.online:
                raise FetchRefused(f"this server does not fetch from {question.provider}; provider=gallery works")
            return choose(question.provider, self.settings, fallback=question.fallback).find(question.query, size)
        if question.background is not None:
            return Background(cover(question.background.pixels, *size), "file", "the given picture")
        if question.color is not None:
            return solid(question.color, size)
        return None


def _itself(source: str) -> dict[str, str | None]:
    return {"source": source, "title": "the photo itself", "licence": "", "url": None, "author": None}


def blur(pixels: Pixels, alpha: npt.NDArray[np.float32], strength: float = 0.03) -> Pixels:
    """The photo (RGB, uint8) blurred with a radius of `strength` times its longer side, without the colours of what
    `alpha` covers: a normalised convolution (Knutsson and Westin 1993), so that people leave no glow."""
    height, width = alpha.shape
    # A strong blur holds no detail: it is worked out at a longer side of 640 pixels at most.
    shrink = min(1.0, 640 / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    weight = 1 - cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    weight = np.maximum(cv2.erode(weight, np.ones((5, 5), np.uint8)), 1e-4)[..., None]
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    sigma = strength * max(size)
    summed = cv2.GaussianBlur(small * weight, (0, 0), sigma)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    mean = np.asarray(summed / total[..., None], np.float32)
    wide = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(wide, 0, 255), np.uint8)
