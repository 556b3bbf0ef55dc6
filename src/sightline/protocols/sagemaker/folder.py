"""Which tasks the models in a folder decide: what SageMaker lays into a container are models, and it asks tasks."""

from __future__ import annotations

from sightline.errors import InvalidOption
from sightline.models.card import Card
from sightline.models.folder import FolderStore
from sightline.models.store import Store
from sightline.tasks import registry


def decided_by(card: Card, store: Store) -> tuple[str, ...]:
    """The tasks whose answer the card decides, in its own order; not those that it plays a lesser part in.

    Raises what the store raises where another part of such a task is not here.
    """
    decided = []
    for task in card.tasks:
        if task not in registry.TASKS:
            continue
        try:
            registry.choose(task, store, model=card.name)
        except InvalidOption:  # a detector, where a classifier decides
            continue
        decided.append(task)
    return tuple(decided)


def choose_tasks(store: FolderStore, names: tuple[str, ...]) -> dict[str, str]:
    """The model of each task to serve. `names` are tasks or TASK=MODEL; without any, all that the folder decides.

    Raises `InvalidOption` where the folder decides nothing or a task twice, and `UnknownTask`.
    """
    deciders: dict[str, list[str]] = {}
    for card in store.own:
        for task in decided_by(card, store):
            deciders.setdefault(task, []).append(card.name)
    chosen = dict(name.partition("=")[::2] for name in names)
    if not chosen:
        if not deciders:
            held = ", ".join(card.name for card in store.own)
            raise InvalidOption(f"the models in the folder ({held}) decide no task")
        chosen = dict.fromkeys(deciders, "")
    for task, model in chosen.items():
        registry.recipe(task)
        here = deciders.get(task, [])
        if not model and len(here) > 1:
            both = " and ".join(here)
            raise InvalidOption(f"{both} both decide {task}: set SIGHTLINE_SAGEMAKER_TASKS={task}={here[0]}, say")
        chosen[task] = model or (here[0] if here else "")
    return chosen
