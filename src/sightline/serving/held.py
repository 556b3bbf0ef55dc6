"""The models that served tasks hold, by the names of their cards: for those who ask a network and not a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sightline.architectures.base import Architecture, Model
from sightline.engines.base import Array, Engine, check_inputs
from sightline.errors import EngineError, InvalidRequest
from sightline.models.card import Card
from sightline.tasks.base import Task

# A cascade is no network: what its parameters are decides how long it searches, without bound.
_NETWORKS = ("onnx", "litert")


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One model: its card, and the engine that runs it."""

    card: Card
    engine: Engine

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        """As `Engine.run`, but raises `InvalidRequest` for arrays that do not fit: they are a caller's."""
        try:
            check_inputs(self.engine.inputs, arrays)
        except EngineError as error:
            raise InvalidRequest(str(error)) from None
        return self.engine.run(*arrays)


def held_models(tasks: Iterable[Task[Any, Any]]) -> dict[str, Held]:
    """Every network of these tasks, by its card's name; of one that several tasks hold, the first."""
    found: dict[str, Held] = {}
    for task in tasks:
        for model in task.models:
            for part in _parts(model):
                if part.card.engine in _NETWORKS:
                    found.setdefault(part.card.name, Held(part.card, part.engine))
    return found


def _parts(model: Model) -> Iterator[Architecture]:
    """The architectures of a model: itself, or those that one made of several holds."""
    if isinstance(model, Architecture):
        yield model
        return
    yield from (part for part in vars(model).values() if isinstance(part, Architecture))
