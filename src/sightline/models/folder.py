"""A store that looks into one folder of models first, wherever that lies."""

from __future__ import annotations

from pathlib import Path

from sightline.errors import ModelMissing
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings


class FolderStore(Store):
    """A model folder (one with `card.toml`) or a folder of several; its cards count before all others.

    Nothing is pulled. Raises `ModelMissing` where there is no card, and `InvalidCard`.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings, pull=False)
        alone = folder / "card.toml"
        found = [alone] if alone.is_file() else sorted(folder.glob("*/card.toml"))
        if not found:
            raise ModelMissing(f"{folder} holds no card.toml, nor does a folder in it")
        self.home = folder.parent if found == [alone] else folder
        """The `models` of settings by which another process finds these cards."""
        self.own = tuple(Card.load(path) for path in found)
        """The cards of the folder."""

    def cards(self) -> list[Card]:
        """Every card, those of the folder first. Raises `InvalidCard`."""
        names = {card.name for card in self.own}
        return [*self.own, *(card for card in super().cards() if card.name not in names)]
