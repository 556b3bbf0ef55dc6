"""`sightline sagemaker serve`: what a container does that SageMaker starts with the argument `serve`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.console.server import answer, listen, start_log
from sightline.errors import InvalidOption, Unavailable
from sightline.models.folder import FolderStore
from sightline.models.store import Store
from sightline.protocols.sagemaker.folder import choose_tasks
from sightline.settings import Settings
from sightline.tasks import registry

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("sightline")

_TRUE = {"1", "true"}


def run(names: tuple[str, ...], settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Serve SageMaker's contract on every address, at the port of `SAGEMAKER_BIND_TO_PORT` (8080), until SIGTERM.

    With `SAGEMAKER_MULTI_MODEL` models come and go by `/models`; else what is in `SM_MODEL_DIR` (`/opt/ml/model`) is
    served, if anything is. Raises `InvalidOption`, `UnknownTask`, `Unavailable` and `InvalidCard`.
    """
    if settings.api_key is not None:
        raise InvalidOption("SageMaker passes no API key on: it checks callers itself. Take SIGHTLINE_API_KEY away")
    settings = replace(settings, online=False)
    listener = listen("0.0.0.0", _port(environ))  # noqa: S104  the contract
    start_log(settings)
    log.info("Sightline answers SageMaker on port %d", listener.getsockname()[1])
    names = names or settings.sagemaker_tasks
    multi = environ.get("SAGEMAKER_MULTI_MODEL", "").lower() in _TRUE
    app = _many(settings) if multi else _one(names, settings, Path(environ.get("SM_MODEL_DIR", "/opt/ml/model")))
    answer(app, listener, settings)


def _one(names: tuple[str, ...], settings: Settings, folder: Path) -> FastAPI:
    filled = folder.is_dir() and any(folder.iterdir())
    store: Store
    if filled:
        store = found = FolderStore(settings, folder)
        settings = replace(settings, models=found.home)
        chosen = choose_tasks(found, names)
    else:
        store = Store(settings, pull=False)
        chosen = dict(name.partition("=")[::2] for name in names)
    for name, model in chosen.items():
        if model:
            registry.choose(name, store, model=model)
            continue
        reason = registry.missing(name, store)
        if reason:
            raise Unavailable(f"{name} cannot be served: {reason}")

    from sightline.protocols.sagemaker.app import create_single
    from sightline.serving.runtime import Runtime

    return create_single(Runtime(settings, store=store, models=chosen), tuple(chosen))


def _many(settings: Settings) -> FastAPI:
    from sightline.protocols.sagemaker.app import create_multi
    from sightline.protocols.sagemaker.models import RuntimeHost, Shelf
    from sightline.serving.memory import Memory
    from sightline.serving.runtime import Runtime

    # Models that come and go live in this process.
    runtime = Runtime(replace(settings, executor="threads"))
    return create_multi(runtime, Shelf(RuntimeHost(runtime, Memory(settings.sagemaker_max_memory * 1024 * 1024))))


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise InvalidOption(f"SAGEMAKER_BIND_TO_PORT is {text[:20]!r}, which is not a port")
    return int(text)
