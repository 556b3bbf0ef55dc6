"""HDF5 files of Keras weights alone: the network comes from here, or from the user's own code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras

from sightline.errors import ModelError

from .hdf5 import copy_plain
from .keras_graph import as_source
from .reasons import reason
from .source import Source
from .users_code import build, shown


def emotion_classic() -> Any:
    """The network that many projects trained on FER2013: 48 x 48 x 1 in (grey 0..1), softmax over 7 out."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(7, activation="softmax"),
        ]
    )


NAMED: dict[str, Callable[[], Any]] = {"emotion-classic": emotion_classic}


def read_hdf5(path: Path, scratch: Path, architecture: str | None, *, trust: bool) -> Source:
    """The weights of an HDF5 file (`save_weights`, legacy or Keras 3, or a whole model's) in a network from elsewhere.

    Raises `InvalidOption` where the architecture is missing or unknown, and `ModelError` where the weights do not fit.
    """
    model = build(architecture, path, keras.Model, NAMED, trust)
    plain = scratch / "plain.h5"
    copy_plain(path, plain, leave_out=("optimizer_weights", "optimizer"))
    with h5py.File(plain) as file:
        legacy = "layer_names" in file.attrs or "model_weights" in file
    # Keras tells its two formats by the name.
    named = scratch / ("legacy.h5" if legacy else "network.weights.h5")
    shutil.move(plain, named)
    try:
        model.load_weights(named)
    except Exception as error:  # Keras raises whatever its layers raise
        raise ModelError(f"the weights of {path.name} do not fit {architecture}: {reason(error)}") from None
    return as_source(model, f"Keras weights in {shown(architecture)}", model.get_config())
