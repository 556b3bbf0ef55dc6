"""Networks for files of weights alone: named ones, or what a function of the user's own builds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption, ModelError

from .reasons import reason

Make = Callable[[], Any]


def build(architecture: str | None, path: Path, kind: Any, named: Mapping[str, Make], trust: bool) -> Any:
    """The network for the weights of `path`, an instance of `kind`: one of `named`, or of `FILE.py:function`.

    Raises `InvalidOption` where the architecture is missing or unknown or needs trust, and `ModelError` where the
    user's code fails.
    """
    make = _find(architecture, path, named, trust)
    try:
        model = make()
    except Exception as error:  # the user's code
        raise ModelError(f"{architecture} failed: {type(error).__name__}: {reason(error)}") from None
    if not isinstance(model, kind):
        raise ModelError(f"{architecture} returned a {type(model).__name__}, not a {kind.__module__}.{kind.__name__}")
    return model


def shown(architecture: str | None) -> str:
    """The architecture without the folders of this machine."""
    where, mark, name = (architecture or "").rpartition(":")
    return f"{Path(where).name}{mark}{name}" if mark else name


def _find(architecture: str | None, path: Path, named: Mapping[str, Make], trust: bool) -> Make:
    ways = " or ".join([*named, "FILE.py:function that builds it"])
    if architecture is None:
        raise InvalidOption(f"{path.name} holds weights without a network: say --architecture with {ways}")
    if architecture in named:
        return named[architecture]
    where, _, name = architecture.rpartition(":")
    if not where.endswith(".py"):
        raise InvalidOption(f"no architecture for {path.name} is called {architecture!r}; there is {ways}")
    if not trust:
        raise InvalidOption(f"{where} is code: it is run only with --trust")
    spec = importlib.util.spec_from_file_location("sightline_users_architecture", where)
    if spec is None or spec.loader is None or not Path(where).is_file():
        raise InvalidOption(f"there is no file {where}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code
        raise ModelError(f"{where} cannot be run: {type(error).__name__}: {reason(error)}") from None
    found = getattr(module, name, None)
    if not callable(found):
        raise InvalidOption(f"{where} has no function {name!r}")
    made: Make = found
    return made
