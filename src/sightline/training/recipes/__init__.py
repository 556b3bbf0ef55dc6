"""What can be trained: one recipe a file, each with a function ``train(order)``."""

from __future__ import annotations

from importlib import import_module

from ..order import Recipe

__all__ = ["RECIPES", "recipe"]

RECIPES = ("classify", "emotion", "lungs", "portraits", "similarity")


def recipe(name: str) -> Recipe:
    """The recipe called ``name``. Raises KeyError where there is none."""
    if name not in RECIPES:
        raise KeyError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return import_module(f".{name}", __name__)  # type: ignore[return-value]
