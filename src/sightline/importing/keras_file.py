"""Whole Keras models: legacy HDF5 (`.h5`, Keras 2 and 3) and `.keras`, without TensorFlow."""

from __future__ import annotations

import importlib
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import keras
import numpy as np

from sightline.errors import ModelError

from . import keras_config
from .hdf5 import copy_plain
from .keras_graph import as_source
from .kinds import open_archive, read_member
from .reasons import reason
from .source import Source


def read_hdf5(path: Path, scratch: Path, *, trust: bool) -> Source:
    """The model of a legacy HDF5 file. Raises `ModelError` with the reason where it cannot or must not be built."""
    plain = scratch / "model.h5"
    copy_plain(path, plain, leave_out=("optimizer_weights",))
    with h5py.File(plain, "r+") as file:
        # Losses and metrics of the training may be the user's own code; nothing here needs them.
        file.attrs.pop("training_config", None)
        config = _json(file.attrs["model_config"], path)
        keras_config.check(config, trust=trust)
        config = keras_config.renew(config)
        _replace(file, config)
    objects = {keras_config.OPERATION + name: kind for name, kind in keras_config.operations().items()}
    model = _load(plain, path, objects, trust=trust)
    return as_source(model, f"Keras HDF5, whole model{_version(plain)}", config)


def read_archive(path: Path, scratch: Path, *, trust: bool) -> Source:
    """The model of a `.keras` file. Raises `ModelError` with the reason where it cannot or must not be built."""
    archive = open_archive(path)
    config = _json(read_member(archive, "config.json"), path)
    keras_config.check({**config, "compile_config": None}, trust=trust)
    config.pop("compile_config", None)
    keras_config.as_float32(config)
    packed, plain = scratch / "packed.h5", scratch / "model.weights.h5"
    packed.write_bytes(read_member(archive, "model.weights.h5"))
    copy_plain(packed, plain)
    clean = scratch / "model.keras"
    with zipfile.ZipFile(clean, "w") as target:
        target.writestr("config.json", json.dumps(config))
        target.writestr("metadata.json", read_member(archive, "metadata.json"))
        target.write(plain, "model.weights.h5")
    model = _load(clean, path, {}, trust=trust)
    return as_source(model, "Keras archive, whole model", config)


def _load(clean: Path, path: Path, objects: dict[str, Any], *, trust: bool) -> Any:
    if trust:
        _lend_names()
    try:
        return keras.models.load_model(clean, custom_objects=objects, compile=False, safe_mode=not trust)
    except Exception as error:  # Keras raises whatever its layers raise
        raise ModelError(f"Keras cannot build the model of {path.name}: {reason(error)}") from None


def _lend_names() -> None:
    """The names that the code of a Lambda layer takes for granted: it is stored without its imports. Keras runs it
    among the names of one of its own modules."""
    both = {**vars(keras.ops), **vars(keras.backend)}
    backend = SimpleNamespace(**{name: value for name, value in both.items() if not name.startswith("_")})
    among = vars(importlib.import_module("keras.src.utils.python_utils"))
    among.update(keras=keras, ops=keras.ops, K=backend, np=np)


def _json(text: Any, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path.name}: its configuration is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path.name}: its configuration is no JSON object")
    return config


def _replace(file: Any, config: dict[str, Any]) -> None:
    del file.attrs["model_config"]
    file.attrs["model_config"] = json.dumps(config)


def _version(plain: Path) -> str:
    with h5py.File(plain) as file:
        version = file.attrs.get("keras_version")
    return f" of Keras {version}" if isinstance(version, str) else ""


def is_whole(path: Path) -> bool:
    """Whether an HDF5 file describes its network, rather than weights alone. Raises `ModelError`."""
    try:
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path.name} is a damaged HDF5 file: {reason(error)}") from None
