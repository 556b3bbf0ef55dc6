"""HDF5 files as Keras 2 wrote them: the configuration in its spelling, the weights group by group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

Weights = dict[str, list[tuple[str, Any]]]


def write(path: Path, config: dict[str, Any] | None, weights: Weights) -> None:
    """`weights`: for each layer, in order, the names and values of its weights. Without `config`, weights only."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["backend"] = "tensorflow"
        group = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["training_config"] = json.dumps({"loss": "my_own_loss", "metrics": ["my_own_metric"]})
            group = file.create_group("model_weights")
            group.attrs["keras_version"] = "2.4.0"
            group.attrs["backend"] = "tensorflow"
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, values in weights.items():
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name, _ in values]
            for name, value in values:
                inner.create_dataset(f"{layer}/{name}:0", data=np.asarray(value, np.float32))


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}


def initializer(kind: str = "GlorotUniform") -> dict[str, Any]:
    return {"class_name": kind, "config": {"seed": None} if kind == "GlorotUniform" else {}}


def convolution(name: str, filters: int, **more: Any) -> dict[str, Any]:
    """A Conv2D with every member that Keras 2.4 wrote."""
    config = {
        "filters": filters,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": initializer(),
        "bias_initializer": initializer("Zeros"),
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    return layer("Conv2D", name, **{**config, **more})


def dense(name: str, units: int, activation: str) -> dict[str, Any]:
    return layer(
        "Dense",
        name,
        units=units,
        activation=activation,
        use_bias=True,
        kernel_initializer=initializer(),
        bias_initializer=initializer("Zeros"),
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
    )


def sequential(name: str, shape: tuple[int, ...], *layers: dict[str, Any]) -> dict[str, Any]:
    entry = layer("InputLayer", f"{name}_input", batch_input_shape=[None, *shape], sparse=False, ragged=False)
    del entry["config"]["trainable"]
    return {"class_name": "Sequential", "config": {"name": name, "layers": [entry, *layers]}}


def functional(shape: tuple[int, ...], *layers: tuple[dict[str, Any], list[str]]) -> dict[str, Any]:
    """A graph: each layer with the names of those it reads; `picture` is the input, the last layer the output."""
    entry = layer("InputLayer", "picture", batch_input_shape=[None, *shape], sparse=False, ragged=False)
    del entry["config"]["trainable"]
    nodes = [{**entry, "name": "picture", "inbound_nodes": []}]
    for made, sources in layers:
        inbound = [[[source, 0, 0, {}] for source in sources]]
        nodes.append({**made, "name": made["config"]["name"], "inbound_nodes": inbound})
    last = layers[-1][0]["config"]["name"]
    config = {"name": "model", "layers": nodes, "input_layers": [["picture", 0, 0]], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Functional", "config": config}
