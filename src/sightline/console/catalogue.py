"""`sightline models ...`."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from sightline.console.progress import download_bar
from sightline.errors import SightlineError, UnknownModel
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry

_SAID = {"shipped": "shipped", "own": "your own", "ready": "here", "missing": "not pulled", "corrupt": "damaged"}


def _members(card: Card, store: Store) -> dict[str, Any]:
    return {**card.to_dict(), "state": store.state(card)}


def show_all(as_json: bool) -> None:
    """Print every model."""
    store = Store(Settings.from_env(), pull=False)
    cards = store.cards()
    if as_json:
        print(json.dumps({"models": [_members(card, store) for card in cards]}))
        return
    table = Table("model", "version", "tasks", box=None, pad_edge=False)
    for heading in ("licence", "size", "weights"):
        table.add_column(heading, overflow="fold")
    for card in cards:
        size = f"{card.size / 1e6:.1f} MB"
        table.add_row(card.name, card.version, ", ".join(card.tasks), card.licence.spdx, size, _SAID[store.state(card)])
    Console().print(table)


def show(name: str, as_json: bool) -> None:
    """Print one card. Raises `UnknownModel`."""
    store = Store(Settings.from_env(), pull=False)
    card = store.card(name)
    members = _members(card, store)
    if as_json:
        print(json.dumps(members))
        return
    licence = members["licence"]
    print(f"{card.name} {card.version}: {card.summary}")
    print(f"  weights        {_SAID[members['state']]}, {card.size:,} bytes, sha256 {card.identity.sha256}")
    print(f"  tasks          {', '.join(card.tasks)}")
    print(f"  architecture   {card.architecture} ({card.engine}), input {card.input.width} x {card.input.height}")
    research = " (research only)" if licence["research_only"] else ""
    print(f"  licence        {licence['spdx']}, {licence['holder']}{research}")
    if licence["note"]:
        print(f"                 {licence['note']}")
    print(f"  training data  {card.training_data}")
    for file in card.files:
        print(f"  file           {file.path} from {file.source or _home(members['state'])}")
    for figure in card.figures:
        print(f"  figure         {figure.metric} {figure.value} on {figure.dataset} (n = {figure.n})")
        print(f"                 {figure.command}")


def _home(state: str) -> str:
    return "your own folder of models" if state == "own" else "the package itself"


def pull(names: tuple[str, ...], defaults: bool, as_json: bool) -> bool:
    """Pull models by name, and those of tasks by the task's name; whether all are here now."""
    settings = Settings.from_env()
    wanted = names + (registry.DEFAULTS if defaults else ())
    done = pull_cards(wanted, settings, strict=not defaults)
    if as_json:
        store = Store(settings, pull=False)
        print(json.dumps({"models": [{"name": card.name, "state": store.state(card)} for card in done]}))
    else:
        for card in done:
            print(f"{card.name} {card.version} is here")
    return True


def pull_cards(names: tuple[str, ...], settings: Settings, *, strict: bool) -> list[Card]:
    """Pull the cards that these models and tasks need. Raises what pulling raises; where not `strict`, a model that
    does not exist yet or cannot be had is a line on stderr."""
    done: dict[str, Card] = {}
    with download_bar() as progress:
        store = Store(settings, progress)
        for name in names:
            try:
                for card in registry.cards_of(name, store) if name in registry.TASKS else (store.card(name),):
                    if card.name not in done:
                        store.pull(card)
                        done[card.name] = card
            except SightlineError as error:
                if strict:
                    raise
                if isinstance(error, UnknownModel):
                    continue  # a task without a model yet: nothing to pull
                print(f"sightline: {name}: {error} [{error.code}]", file=sys.stderr)
    return list(done.values())


def verify(names: tuple[str, ...], as_json: bool) -> bool:
    """Check the models that are here (or the named ones) against their cards; whether all are as they must be."""
    store = Store(Settings.from_env(), pull=False)
    cards = [store.card(name) for name in names] or [card for card in store.cards() if store.state(card) != "missing"]
    rows: list[dict[str, Any]] = [{"name": card.name, "problems": store.verify(card)} for card in cards]
    if as_json:
        print(json.dumps({"models": rows}))
    else:
        for row in rows:
            print(f"{row['name']}: {'; '.join(row['problems']) or 'ok'}")
    return not any(row["problems"] for row in rows)
