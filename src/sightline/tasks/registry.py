"""The tasks there are, the models each is made of, and how one is put together."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sightline.architectures.face_finder import FaceFinder
from sightline.architectures.registry import architecture, build
from sightline.engines.registry import OpenEngine, open_engine
from sightline.errors import InvalidOption, ModelError, SightlineError, Unavailable, UnknownModel, UnknownTask
from sightline.models.card import Card
from sightline.models.pull import Progress
from sightline.models.store import USABLE, Store
from sightline.settings import Settings
from sightline.tasks.base import Task

Part = tuple[tuple[str, ...], ...]
"""The alternatives for one part of a task, the preferred first; each names the cards that play it together (none: the
task does without). Another than the first answers only where those before it are not here and cannot be pulled."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where a task's class is, and who plays each part (a constructor argument) in it: the first decides."""

    where: str
    parts: dict[str, Part]

    def task(self) -> type[Task[Any, Any]]:
        """The task's class, imported now."""
        module, _, name = self.where.partition(":")
        found: type[Task[Any, Any]] = getattr(import_module(module), name)
        return found


_BLAZEFACE = ("blazeface-full", "blazeface-short")
_HAAR = ("haar-frontal",)

TASKS: dict[str, Recipe] = {
    "faces": Recipe("sightline.tasks.faces:Faces", {"detector": (_BLAZEFACE, _HAAR)}),
    "similarity": Recipe(
        "sightline.tasks.similarity:Similarity",
        {
            "embedder": (("dlib-face",), ("siamese-small",)),
            "detector": (_BLAZEFACE, _HAAR),
            "mesher": (("facemesh",), ()),
        },
    ),
    "background": Recipe(
        "sightline.tasks.background:BackgroundChanger", {"segmenter": (("selfie",), ("portraits-deeplab",))}
    ),
    "emotion": Recipe(
        "sightline.tasks.emotion:Emotion", {"classifier": (("emotion-small",),), "detector": (_BLAZEFACE, _HAAR)}
    ),
    "lungs": Recipe("sightline.tasks.lungs:Lungs", {"segmenter": (("lungs-bcdunet",),)}),
    "detect": Recipe("sightline.tasks.detect:Detect", {"detector": (("centernet",), ("hog-people",))}),
    "segment": Recipe(
        "sightline.tasks.segment:Segment",
        {
            "segmenter": (("selfie",), ("portraits-deeplab",)),
            "detector": (("centernet",), ("hog-people",)),
            "outliner": (("blazepose-figure",), ()),
        },
    ),
    "pose": Recipe(
        "sightline.tasks.pose:Pose",
        {
            "estimator": (("movenet-lightning",), ("blazepose-full",)),
            "detector": (("centernet",), ("blazepose-detector",)),
        },
    ),
    "classify": Recipe("sightline.tasks.classify:Classify", {"labeller": (("centernet-tags",),)}),
}

DEFAULTS = (*TASKS, "iris")
"""What a whole installation pulls: every task's models, and those that only the details of faces are read by."""

# What plays a part has this method (the protocols of `architectures.base`).
_METHODS = {
    "detector": "detect",
    "embedder": "embed",
    "mesher": "points",
    "segmenter": "mask",
    "classifier": "scores",
    "outliner": "figure",
    "estimator": "pose",
    "labeller": "classify",
}

# What people call a model, and its cards.
_NICKNAMES = {
    "blazeface": _BLAZEFACE,
    "haar": _HAAR,
    "deeplab": ("portraits-deeplab",),
    "siamese": ("siamese-small",),
    "movenet": ("movenet-lightning",),
    "blazepose": ("blazepose-full",),
}


def recipe(name: str) -> Recipe:
    """The recipe of a task. Raises `UnknownTask` with the names that come near."""
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(TASKS)}"
        raise UnknownTask(f"no task is called {name!r}{hint}")
    return TASKS[name]


def load(
    name: str,
    *,
    model: str | None = None,
    detector: str | None = None,
    settings: Settings | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
    engines: OpenEngine = open_engine,
) -> Task[Any, Any]:
    """The task `name`, ready to be called.

    `model` names the card that decides the answer and `detector` the one that finds faces (`blazeface`, `haar`, or
    a card's name), each in place of the default. Missing weights are pulled unless the settings or the store forbid.
    `engines` opens the weights.

    Raises `UnknownTask`, `UnknownModel`, `InvalidOption`, and what the store and the engines raise.
    """
    settings = settings or Settings.from_env()
    store = store or Store(settings, progress)
    chosen = choose(name, store, model=model, detector=detector)
    constructor: Callable[..., Task[Any, Any]] = recipe(name).task()
    parts = {part: _build(cards, store, settings, engines) for part, cards in chosen.items()}
    return constructor(**parts, settings=settings)


def choose(
    name: str, store: Store, *, model: str | None = None, detector: str | None = None
) -> dict[str, tuple[Card, ...]]:
    """The cards that play each part of a task, their weights made sure of. Raises as `load`."""
    plan = recipe(name)
    wanted = _wanted(name, plan, store, model, detector)
    for part, alternatives in wanted.items():
        if alternatives is not plan.parts[part]:
            # What a person chose wrongly is said before anything is pulled for the other parts.
            for card in alternatives[0]:
                _check(name, part, store.card(card))
    return {part: _choose(name, part, alternatives, store) for part, alternatives in wanted.items()}


def cards_of(name: str, store: Store) -> Iterator[Card]:
    """The cards that answer a task by default. Raises `UnknownTask` and `UnknownModel`."""
    for alternatives in recipe(name).parts.values():
        yield from (store.card(card) for card in alternatives[0])


def missing(name: str, store: Store) -> str | None:
    """Why a task cannot answer with what is on this machine, in one line; None if it can."""
    for part, alternatives in recipe(name).parts.items():
        reasons = [_absent(names, store) for names in alternatives]
        if all(reasons):
            return f"its {part} is not here: {reasons[0]}"
    return None


def _absent(names: tuple[str, ...], store: Store) -> str | None:
    """Which of the cards cannot be used with what is on this machine; None if all can."""
    for name in names:
        try:
            state = store.state(store.card(name))
        except UnknownModel:
            return f"no model called {name} is shipped yet, nor in the folder of SIGHTLINE_MODELS"
        except SightlineError as error:
            return str(error)
        if state not in USABLE:
            return f"{name} is {state}"
    return None


def _wanted(name: str, plan: Recipe, store: Store, model: str | None, detector: str | None) -> dict[str, Part]:
    wanted = dict(plan.parts)
    if model is not None:
        wanted[next(iter(wanted))] = (_called(model, store),)
    if detector is not None:
        if "detector" not in wanted:
            raise InvalidOption(f"{name} has no detector to choose")
        wanted["detector"] = (_called(detector, store),)
    return wanted


def _called(name: str, store: Store) -> tuple[str, ...]:
    """The cards that a person means: a model of that very name, the user's own say, before a nickname."""
    if name in _NICKNAMES and all(card.name != name for card in store.cards()):
        return _NICKNAMES[name]
    return (name,)


def _check(task: str, part: str, card: Card) -> None:
    """Raise `InvalidOption` unless the card can play this part of the task."""
    if task not in card.tasks:
        raise InvalidOption(f"the model {card.name} does not serve {task}; it serves {', '.join(card.tasks)}")
    if not hasattr(architecture(card), _METHODS[part]):
        raise InvalidOption(f"the model {card.name} cannot be the {part} of {task}")


def _choose(task: str, part: str, alternatives: Part, store: Store) -> tuple[Card, ...]:
    """The cards of the first alternative whose weights are here or come when asked for; where none does, the
    first one's error."""
    failures: list[SightlineError] = []
    for names in alternatives:
        try:
            cards = tuple(map(store.card, names))
            for card in cards:
                _check(task, part, card)
                store.weights(card)
        except (Unavailable, ModelError, UnknownModel) as error:
            failures.append(error)
            continue
        return cards
    raise failures[0]


def _build(cards: tuple[Card, ...], store: Store, settings: Settings, engines: OpenEngine) -> Any:
    models = [build(card, store, settings, engines) for card in cards]
    if not models:
        return None
    return models[0] if len(models) == 1 else FaceFinder(*models)
