"""Where models live: the user's own folder, those that are shipped, and the cache that others are pulled into."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.errors import (
    ChecksumMismatch,
    InvalidCard,
    ModelMissing,
    Offline,
    SightlineError,
    SourceFailed,
    UnknownModel,
)
from sightline.models.card import Card, WeightsFile
from sightline.models.pull import Progress, derived_problem, pull, sha256_of
from sightline.models.sources.package import locate
from sightline.settings import Settings

State = Literal["shipped", "own", "ready", "missing", "corrupt"]
USABLE: tuple[State, ...] = ("shipped", "own", "ready")

ZOO = Path(__file__).resolve().parents[1] / "zoo"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


@dataclass(frozen=True, slots=True)
class _Problem:
    kind: Literal["missing", "corrupt"]
    text: str
    repairable: bool
    """Whether a pull can put it right."""


class Store:
    """Finds cards and makes sure of their weights.

    A model that is missing or damaged is pulled when its weights are asked for, unless `pull` is False or the settings
    are offline. Files of a `package:` source are used where they are installed.
    """

    def __init__(
        self, settings: Settings, progress: Progress | None = None, *, pull: bool = True, zoo: Path = ZOO
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._pulls = pull
        self._zoo = zoo

    def cards(self) -> list[Card]:
        """Every card: the user's own, then the shipped ones; of two with the same name the first counts.

        Raises `InvalidCard` naming the file that cannot be read.
        """
        found: dict[str, Card] = {}
        for folder in (self._settings.models, self._zoo):
            for card in _cards_in(folder):
                found.setdefault(card.name, card)
        return list(found.values())

    def card(self, name: str) -> Card:
        """The card called `name`, or that of a model folder whose path has a separator (`./mugs`, `runs/mugs`).

        Raises `UnknownModel` with the names that come near, and `InvalidCard`.
        """
        if "/" in name or os.sep in name:
            path = Path(name).expanduser() / "card.toml"
            if not path.is_file():
                raise UnknownModel(f"{name} is no folder with a card.toml")
            return Card.load(path)
        found = self._find(name)
        if found is not None:
            return found
        cards = {card.name: card for card in self.cards()}
        if name in cards:
            return cards[name]
        near = difflib.get_close_matches(name, cards, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `sightline models list` shows those there are"
        raise UnknownModel(f"no model is called {name!r}{hint}")

    def weights(self, card: Card) -> Path:
        """The file that the engine loads, every file of the card checked by its hash just now.

        Raises `ModelMissing`, `Offline`, `SourceFailed`, `ChecksumMismatch` and `InvalidCard`.
        """
        problems = self._problems(card)
        if problems:
            self._repair(card, problems)
        if card.convert is not None:
            return self.folder(card) / card.convert.output
        return self._place(card, card.files[0])

    def state(self, card: Card) -> State:
        """How the card's files are on this machine: usable because `shipped`, the user's `own` or pulled (`ready`), or
        `missing` or `corrupt`."""
        kinds = {problem.kind for problem in self._problems(card)}
        if "corrupt" in kinds:
            return "corrupt"
        if kinds:
            return "missing"
        if card.directory.parent == self._settings.models:
            return "own"
        return "shipped" if card.shipped and card.convert is None else "ready"

    def verify(self, card: Card) -> list[str]:
        """One line for each file, pulled or derived, that is missing or differs from what it must be."""
        return [problem.text for problem in self._problems(card)]

    def pull(self, card: Card) -> None:
        """Bring what is missing or damaged into the cache. Raises as `weights`, less `pull=False`."""
        problems = self._problems(card)
        if not problems:
            return
        if not all(problem.repairable for problem in problems):
            raise _kind(problems)(f"{card.name} cannot be used and not be pulled: {_said(problems)}")
        places = {file.path: self._place(card, file) for file in card.files}
        try:
            pull(card, self.folder(card), places, offline=self._settings.offline, progress=self._progress)
        except Offline:
            raise Offline(
                f"{card.name} is not usable ({_said(problems)}), and SIGHTLINE_OFFLINE forbids to pull it"
            ) from None

    def folder(self, card: Card) -> Path:
        """Where the cache keeps the card's files. Raises `InvalidCard` for a version that is no plain name."""
        if not _PLAIN.fullmatch(card.version):
            raise InvalidCard(
                f"version {card.version!r} of {card.name} is not made of letters, digits, dots and dashes"
            )
        return self._settings.cache / "models" / card.name / card.version

    def _find(self, name: str) -> Card | None:
        """The card called `name`, if it is one of the user's or lies in the shipped folder of its name: reading all
        the shipped ones takes longer than an answer."""
        for card in _cards_in(self._settings.models):
            if card.name == name:
                return card
        path = self._zoo / name / "card.toml"
        if _PLAIN.fullmatch(name) and path.is_file():
            card = Card.load(path)
            return card if card.name == name else None
        return None

    def _repair(self, card: Card, problems: list[_Problem]) -> None:
        if not self._pulls and all(problem.repairable for problem in problems):
            said = f"{card.name} is not usable ({_said(problems)})"
            raise _kind(problems)(f"{said}; `sightline models pull {card.name}` brings it")
        self.pull(card)
        left = self._problems(card)
        if left:  # a disk that does not keep what is written, or somebody else at work in the cache
            raise ChecksumMismatch(f"{card.name} was pulled and is still not usable: {_said(left)}")

    def _problems(self, card: Card) -> list[_Problem]:
        return list(self._find_problems(card))

    def _find_problems(self, card: Card) -> Iterator[_Problem]:
        if card.convert is not None and not _PLAIN.fullmatch(card.convert.output):
            raise InvalidCard(f"output {card.convert.output!r} of {card.name} is not a plain file name")
        whole = True
        for file in card.files:
            repairable = _is_cached(file)
            try:
                found = sha256_of(self._place(card, file))
            except SourceFailed as error:  # a package that is not installed
                yield _Problem("missing", str(error), repairable)
                continue
            if found is None:
                yield _Problem("missing", f"{file.path} is missing", repairable)
            elif found != file.sha256:
                text = f"{file.path} has sha256 {found}; its card says {file.sha256}"
                yield _Problem("corrupt", text, repairable)
            else:
                continue
            whole = False
        if card.convert is not None and whole:
            problem = derived_problem(card, card.convert, self.folder(card))
            if problem is not None:
                yield _Problem("missing" if problem.endswith("is missing") else "corrupt", problem, True)

    def _place(self, card: Card, file: WeightsFile) -> Path:
        """Where the engine or the importer reads the file. Raises `SourceFailed` where its package is absent."""
        if file.source is None:
            return card.directory / file.path
        if file.source.startswith("package:"):
            return locate(file.source.removeprefix("package:"))
        return self.folder(card) / file.path


def _cards_in(folder: Path) -> Iterator[Card]:
    """Every card of a folder of models, by the order of their folders' names."""
    return (Card.load(path) for path in sorted(folder.glob("*/card.toml")))


def _is_cached(file: WeightsFile) -> bool:
    return file.source is not None and not file.source.startswith("package:")


def _kind(problems: list[_Problem]) -> type[SightlineError]:
    return ModelMissing if all(problem.kind == "missing" for problem in problems) else ChecksumMismatch


def _said(problems: list[_Problem]) -> str:
    return "; ".join(problem.text for problem in problems)
