"""What every task is: a question, an answer, and the models between them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

from PIL import Image

from sightline.architectures.base import Model
from sightline.errors import InvalidOption, MissingInput
from sightline.images.decode import Source, read
from sightline.images.picture import Picture
from sightline.models.card import Identity
from sightline.settings import Settings
from sightline.tasks.question import question_fields

Schema = dict[str, Any]
"""A JSON schema (draft 2020-12)."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent on one question. `queue` is the wait for a free worker, zero outside a server.

    `encode`, making the reply's bytes, and `arrived`, the clock of `time.perf_counter` when the question came, are
    known to a server only, and too late to be a member of the reply.
    """

    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0
    total: float = 0.0
    encode: float = 0.0
    arrived: float = 0.0

    def to_dict(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 2) for name in ("decode", "queue", "infer", "total")}


@dataclass(frozen=True, slots=True)
class Frame:
    """The size in pixels of the upright picture that an answer's coordinates refer to."""

    width: int
    height: int

    @classmethod
    def of(cls, picture: Picture) -> Frame:
        return cls(picture.width, picture.height)

    def to_dict(self) -> dict[str, int]:
        return {"width": self.width, "height": self.height}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a task answers: its own members, the pictures' sizes, the models that answered and the time it took.

    All coordinates are pixels of the upright picture, origin top left.
    """

    schema: ClassVar[Schema]
    """The JSON schema of `members()`."""

    models: tuple[Identity, ...] = ()
    """The models that answered; the first decides the answer."""
    timings: Timings = field(default=Timings(), compare=False)

    def members(self) -> dict[str, Any]:
        """The answer's own JSON members."""
        raise NotImplementedError

    def draw(self, picture: Source) -> Image.Image:
        """The upright `picture` with the answer drawn on it, RGB (RGBA where the answer is transparent)."""
        raise NotImplementedError

    def caption(self) -> dict[str, Any]:
        """The few members that go beside a picture, where the answer is given as one."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON members: its own, then `model`, `models` and `timings_ms`."""
        return {
            **self.members(),
            "model": self.models[0].to_dict() if self.models else None,
            "models": [model.to_dict() for model in self.models],
            "timings_ms": self.timings.to_dict(),
        }

    def stamped(self, models: tuple[Identity, ...], timings: Timings) -> Self:
        """The same answer with who gave it and how long it took."""
        return replace(self, models=models, timings=timings)


Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)


class Task(Generic[Q, A]):
    """A callable that turns pictures and options into an answer. Safe to share between threads.

    A subclass names its `Question` (a frozen dataclass; its `Picture` fields are the pictures, the others the
    options) and its `Answer`, and implements `answer`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Question: ClassVar[type[Any]]
    Answer: ClassVar[type[Answer]]
    enough: ClassVar[int | None] = None
    """A JPEG may be decoded at a reduced scale as long as its longer side keeps this many pixels; None: never."""
    answers_picture: ClassVar[bool] = False
    """Whether the answer is itself a picture, so that a drawing is what people want first."""

    def __init__(self, models: tuple[Model, ...], settings: Settings) -> None:
        self.models = models
        self.settings = settings

    def answer(self, question: Q) -> A:
        """Answer one question. Called from many threads at once. Raises `InvalidRequest` errors."""
        raise NotImplementedError

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The models that answer, the deciding one first."""
        return tuple(card.identity for model in self.models for card in model.cards)

    def warm(self) -> None:
        """Run every model once, so that the first question is as fast as the second."""
        for model in self.models:
            model.warm()

    def ask(self, pictures: Mapping[str, Source], options: Mapping[str, Any]) -> Q:
        """Decode the named pictures and make the typed question.

        Raises `MissingInput`, `InvalidOption` for a name the task does not know, and what decoding raises.
        """
        fields = question_fields(self.Question)
        for wanted in fields.pictures:
            if wanted.required and pictures.get(wanted.name) is None:
                raise MissingInput(f"{self.name} needs the picture {wanted.name!r}")
        known = {item.name for item in fields.pictures}
        for name in pictures:
            if name not in known:
                raise InvalidOption(f"{self.name} takes no picture {name!r}; it takes {', '.join(sorted(known))}")
        decoded = {
            name: read(source, settings=self.settings, enough=self.enough)
            for name, source in pictures.items()
            if source is not None
        }
        question: Q = self.Question(**decoded, **fields.parse(options))
        return question

    def drawing(self, answer: A, pictures: Mapping[str, Source]) -> Image.Image:
        """The answer as one picture: drawn on the first picture of the question."""
        return answer.draw(pictures[question_fields(self.Question).pictures[0].name])

    def __call__(self, *pictures: Source, **options: Any) -> A:
        """Ask with pictures in the question's order, or by name, and options by name."""
        started = time.perf_counter()
        names = [item.name for item in question_fields(self.Question).pictures]
        if len(pictures) > len(names):
            raise InvalidOption(f"{self.name} takes {len(names)} pictures ({', '.join(names)}), not {len(pictures)}")
        given: dict[str, Source] = dict(zip(names, pictures, strict=False))
        for name in names:
            if name in options:
                if name in given:
                    raise InvalidOption(f"the picture {name!r} was given twice")
                given[name] = options.pop(name)
        question = self.ask(given, options)
        decoded = time.perf_counter()
        answer = self.answer(question)
        ended = time.perf_counter()
        return answer.stamped(
            self.identities,
            Timings(decode=(decoded - started) * 1000, infer=(ended - decoded) * 1000, total=(ended - started) * 1000),
        )
