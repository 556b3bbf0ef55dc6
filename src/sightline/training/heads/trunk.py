"""The network below a head: a card's graph up to its features, and the vectors that it gives."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from sightline.architectures.embedding import Embedding
from sightline.engines.registry import open_engine
from sightline.errors import EngineError, InvalidOption
from sightline.evaluation.base import Progress, in_threads
from sightline.images.decode import read
from sightline.models.card import Card
from sightline.settings import Settings

Vectors = npt.NDArray[np.float32]
"""N x D."""

VECTOR = "sightline/vector"
ENOUGH = 1024
"""A JPEG is decoded at a scale that keeps this many pixels, as the task does."""
_OPSET = 13  # from here on TopK and GreaterOrEqual are as the heads write them


@dataclass(frozen=True, slots=True)
class Trunk:
    """`model` takes prepared pictures (the card's input, any number of them) and its last node gives `VECTOR`, one row
    a picture."""

    card: Card
    model: Any

    def vectors(self, files: Sequence[Path], settings: Settings, progress: Progress) -> Vectors:
        """The vector of each picture, len(files) x D float32. Raises `EngineError` and what decoding raises."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trunk.onnx"
            onnx.save(finished(self.model, [(VECTOR, 2)]), path)
            network = Embedding(self.card, open_engine("onnx", path, settings))

            def vector(file: Path) -> npt.NDArray[np.float32]:
                return network.vector(read(file, enough=ENOUGH).pixels)

            vectors = np.stack([row for _, row in in_threads(vector, files, os.cpu_count() or 1, progress)])
        if not np.isfinite(vectors).all():
            raise EngineError(f"{self.card.name} gives features that are not finite")
        return vectors


def cut(card: Card, weights: Path) -> Trunk:
    """The trunk of `card`: its graph up to the tensor that its option `features` names, or to its first output; maps
    (N x D x rows x columns) are averaged over space.

    Raises `InvalidOption` for weights of another engine, and for features that are no vector and no map.
    """
    if card.engine != "onnx":
        raise InvalidOption(f"{card.name} runs on {card.engine}; a head joins an ONNX graph")
    model = onnx.load(str(weights))
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if version < _OPSET or len(model.graph.input) != 1:
        raise InvalidOption(f"{card.name} needs opset {_OPSET} or newer and one input to carry a head")
    features = str(card.options.get("features", model.graph.output[0].name))
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    made = {name: node for node in model.graph.node for name in node.output}
    if features not in made:
        raise InvalidOption(f"{card.name} has no tensor {features!r} to take features from")
    nodes = _ancestors(model.graph, made, features)
    rank = len(known[features].type.tensor_type.shape.dim) if features in known else 0
    if rank == 4:
        nodes.append(helper.make_node("GlobalAveragePool", [features], [f"{VECTOR}/mean"]))
        features = f"{VECTOR}/mean"
    elif rank != 2:
        raise InvalidOption(f"the features of {card.name} have {rank} axes; a vector has 2, a map 4")
    nodes.append(helper.make_node("Flatten", [features], [VECTOR], axis=1))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in _inputs(node)}
    for field in ("initializer", "sparse_initializer"):
        kept = [entry for entry in getattr(model.graph, field) if getattr(entry, "name", "") in used]
        del getattr(model.graph, field)[:]
        getattr(model.graph, field).extend(kept)
    del model.graph.value_info[:]
    del model.graph.output[:]
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    return Trunk(card, model)


def finished(model: Any, outputs: Sequence[tuple[str, int]]) -> Any:
    """A copy of `model` with these outputs (name and number of axes), checked. Raises `EngineError`."""
    done = onnx.ModelProto()
    done.CopyFrom(model)
    shapes: Callable[[int], list[Any]] = lambda axes: ["batch", *[None] * (axes - 1)]  # noqa: E731
    done.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes(axes)) for name, axes in outputs
    )
    try:
        onnx.checker.check_model(done)
    except Exception as error:
        raise EngineError(f"the joined graph is not sound: {str(error).splitlines()[0]}") from None
    return done


def _ancestors(graph: Any, made: dict[str, Any], name: str) -> list[Any]:
    """The nodes that `name` needs, in the graph's order."""
    wanted, waiting = set(), [name]
    while waiting:
        node = made.get(waiting.pop())
        if node is not None and id(node) not in wanted:
            wanted.add(id(node))
            waiting += _inputs(node)
    return [node for node in graph.node if id(node) in wanted]


def _inputs(node: Any) -> list[str]:
    """What a node reads, the bodies of its loops and branches included."""
    inner = [body for attribute in node.attribute for body in (attribute.g, *attribute.graphs)]
    return [*node.input, *(name for body in inner for child in body.node for name in _inputs(child))]
