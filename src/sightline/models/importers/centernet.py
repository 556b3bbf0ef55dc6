"""Two other networks inside CenterNet's graph (Zhou et al. 2019, arXiv 1904.07850): what a whole picture shows, and
features of it.

The detector has a map for each of its labels, whose peaks are the middles of objects: the highest peak of a map is the
confidence that the picture shows that label at all. And below its maps lies a MobileNetV3 (Howard et al. 2019,
arXiv 1905.02244), whose last widened layer, averaged over space, describes a picture in general.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from sightline.errors import ModelError
from sightline.models.importers.tfjs import TfjsImporter

MAPS = "tower_0/keypoints"
SIDE = 224
"""The pictures of the features, in pixels; nothing in that part of the graph depends on their size."""


class CenterNetTags:
    """Writes the graph with one output, `confidences` (1 x labels)."""

    def convert(self, files: Mapping[str, Path], output: Path) -> None:
        model, made = _read(files)
        if MAPS not in made:
            raise ModelError(f"the graph has no output {MAPS}: it is not CenterNet's")
        maps = MAPS
        while maps in made and made[maps].op_type in ("Identity", "Transpose"):  # to channels first, as pooling is
            maps = made[maps].input[0]
        output.write_bytes(_cut(model, made, maps, "GlobalMaxPool", "confidences"))


class CenterNetFeatures:
    """Writes the graph with one output, `features` (N x 480), for pictures of `SIDE`."""

    def convert(self, files: Mapping[str, Path], output: Path) -> None:
        model, made = _read(files)
        first = next((node.input[0] for node in model.graph.node if node.op_type == "Resize"), None)
        if first is None:
            raise ModelError("the graph enlarges nothing: it is not CenterNet's")
        # What is enlarged first are the features after the convolutions of the neck; above those is the backbone.
        while first in made and made[first].op_type in ("Add", "Conv"):
            first = made[first].input[0]
        sizes = model.graph.input[0].type.tensor_type.shape.dim
        sizes[0].dim_param = "batch"
        sizes[1].dim_value = sizes[2].dim_value = SIDE
        output.write_bytes(_cut(model, made, first, "GlobalAveragePool", "features"))


def _read(files: Mapping[str, Path]) -> tuple[Any, dict[str, Any]]:
    """The detector's graph, and the node that makes each tensor."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        TfjsImporter().convert(files, whole)
        model = onnx.load(str(whole))
    return model, {name: node for node in model.graph.node for name in node.output}


def _cut(model: Any, made: Mapping[str, Any], tensor: str, pooling: str, output: str) -> bytes:
    """The graph up to `tensor` (N x C x rows x columns), pooled over space."""
    wanted: set[str] = set()
    waiting = [tensor]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += made[name].input if name in made else ()
    graph = model.graph
    nodes = [node for node in graph.node if wanted & set(node.output)]
    nodes += [
        helper.make_node(pooling, [tensor], [f"{output}/pooled"], name=f"{output}/pooled"),
        helper.make_node("Flatten", [f"{output}/pooled"], [output], name=output, axis=1),
    ]
    kept = helper.make_graph(
        nodes,
        "centernet",
        list(graph.input),
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None])],
        [entry for entry in graph.initializer if entry.name in wanted],
    )
    made_model = helper.make_model(
        kept, producer_name="sightline", opset_imports=model.opset_import, ir_version=model.ir_version
    )
    try:
        onnx.checker.check_model(made_model, full_check=True)
    except Exception as error:
        raise ModelError(f"the cut graph is not sound: {str(error).splitlines()[0]}") from None
    written: bytes = made_model.SerializeToString(deterministic=True)
    return written
