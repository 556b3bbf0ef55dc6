"""Detectors of people and pose networks that answer what they were told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sightline.architectures.people import Found, PersonFound, PoseFound
from sightline.images.picture import Pixels
from sightline.models.card import Card
from sightline.tasks.pose import KEYPOINTS
from tests.fakes.cards import card


class _Fake:
    def __init__(self, made: Card) -> None:
        self.card = made

    @property
    def cards(self) -> tuple[Card, ...]:
        return (self.card,)

    def warm(self) -> None:
        pass


class FakePeople(_Fake):
    """Finds what it was given, in every picture, where it is certain enough."""

    def __init__(self, found: Iterable[Found] = ()) -> None:
        super().__init__(card(name="fake-people", thresholds={"score": 0.5}))
        self.found = sorted(found, key=lambda thing: -thing.confidence)

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[Found]:
        least = self.card.threshold("score") if at_least is None else at_least
        return [thing for thing in self.found if thing.confidence >= least]


class FakePose(_Fake):
    """The points that its labels name, one below the other down the middle of the box, all equally sure."""

    def __init__(self, labels: tuple[str, ...] = KEYPOINTS, score: float = 0.75, presence: float | None = None) -> None:
        super().__init__(card(name="fake-pose", labels=list(labels), thresholds={"point": 0.2, "presence": 0.5}))
        self.score, self.presence = score, presence

    def pose(self, pixels: Pixels, person: PersonFound) -> PoseFound:
        box, count = person.box, len(self.card.labels)
        ys = box.y + box.height * (np.arange(count) + 0.5) / count
        points = np.column_stack([np.full(count, box.x + box.width / 2), ys]).astype(np.float32)
        return PoseFound(points, np.full(count, self.score, np.float32), self.presence)
