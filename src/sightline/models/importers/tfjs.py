"""Graph models of TensorFlow.js (`model.json` and its weights) as ONNX graphs.

The graph is the one of TensorFlow that the file holds (a `GraphDef` in JSON), the weights those of `tfjs_weights`. The
ONNX model has the inputs and outputs that the file's signature names, with their shapes and types, channels last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from sightline.errors import ModelError
from sightline.models.importers import tfjs_weights
from sightline.models.importers.tfjs_graph import Node, Value, Writer
from sightline.models.importers.tfjs_ops import OPSET, TYPES, write

# That of opset 18's time: every ONNX Runtime that Sightline allows reads it.
_IR = 8


class TfjsImporter:
    """Reads the one `.json` among the files and the weights that it names."""

    def convert(self, files: Mapping[str, Path], output: Path) -> None:
        models = [path for name, path in files.items() if name.endswith(".json")]
        if len(models) != 1:
            raise ModelError("a TensorFlow.js model comes with exactly one .json")
        try:
            model = json.loads(models[0].read_text("utf-8"))
            nodes = [_node(entry) for entry in model["modelTopology"]["node"]]
            signature, manifest = model["signature"], model["weightsManifest"]
            inputs, outputs = ([_tensor(t) for t in signature[kind].values()] for kind in ("inputs", "outputs"))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelError(f"{models[0].name} is no graph model of TensorFlow.js: {error!r}") from None
        weights = tfjs_weights.read(manifest, files, models[0].name)
        output.write_bytes(build(nodes, weights, inputs, outputs))


def _node(entry: Mapping[str, Any]) -> Node:
    inputs = tuple(name for name in entry.get("input", ()) if not name.startswith("^"))  # ^: only an order in time
    return Node(entry["name"], entry["op"], inputs, entry.get("attr", {}))


def _tensor(entry: Mapping[str, Any]) -> tuple[str, str, list[int | str]]:
    """The name, type and shape of a tensor of the signature; a free dimension is named after its place."""
    sizes = [int(dim["size"]) for dim in entry["tensorShape"].get("dim", ())]
    shape = [size if size >= 0 else f"dim_{index}" for index, size in enumerate(sizes)]
    return entry["name"].removesuffix(":0"), entry["dtype"], shape


def build(
    nodes: list[Node],
    weights: tfjs_weights.Tensors,
    inputs: list[tuple[str, str, list[int | str]]],
    outputs: list[tuple[str, str, list[int | str]]],
) -> bytes:
    """The serialised ONNX model: what the outputs (name, type, shape) need of the graph. Raises `ModelError`."""
    writer = Writer()
    known = {node.name: node for node in nodes}
    values: dict[str, Value] = {name: Value(name) for name, _, _ in inputs}
    for node in _needed(known, [name for name, _, _ in outputs]):
        if node.name in values:
            continue
        if node.op == "Const":
            values[node.name] = _constant(node, weights)
            continue
        made = write(writer, node, [values[_value(name)] for name in node.inputs])
        values |= {node.name if index == 0 else f"{node.name}:{index}": value for index, value in enumerate(made)}
    for name, _, _ in outputs:
        writer.nodes.append(helper.make_node("Identity", [writer.plain(values[_value(name)])], [name], name=name))
    graph = helper.make_graph(
        writer.nodes,
        "tfjs",
        [_info(tensor) for tensor in inputs],
        [_info(tensor) for tensor in outputs],
        list(writer.constants.values()),
    )
    model = helper.make_model(
        graph, producer_name="sightline", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ModelError(f"the converted graph is not sound: {str(error).splitlines()[0]}") from None
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _constant(node: Node, weights: tfjs_weights.Tensors) -> Value:
    if node.name not in weights:
        raise ModelError(f"there are no weights for the constant {node.name}")
    numbers = weights[node.name]
    return Value(node.name, constant=numbers.astype(np.float32) if numbers.dtype.kind == "f" else numbers)


def _needed(known: Mapping[str, Node], outputs: list[str]) -> Iterator[Node]:
    """The nodes that the outputs need, each after those that it needs itself. Raises `ModelError`."""
    done: set[str] = set()
    begun: set[str] = set()
    waiting = [name.partition(":")[0] for name in reversed(outputs)]
    while waiting:
        name = waiting[-1]
        if name in done:
            waiting.pop()
            continue
        if name not in known:
            raise ModelError(f"the graph has no node {name!r}")
        open_inputs = [source for ref in known[name].inputs if (source := ref.partition(":")[0]) not in done]
        if open_inputs:
            if name in begun:
                raise ModelError(f"the graph runs in a circle at {name!r}")
            begun.add(name)
            waiting += open_inputs
            continue
        done.add(name)
        waiting.pop()
        yield known[name]


def _value(reference: str) -> str:
    """`name:0` and `name` are the same output."""
    return reference.removesuffix(":0")


def _info(tensor: tuple[str, str, list[int | str]]) -> Any:
    name, kind, shape = tensor
    if kind not in TYPES:
        raise ModelError(f"{name} is of the type {kind}, which is not known")
    return helper.make_tensor_value_info(name, TYPES[kind], shape)
