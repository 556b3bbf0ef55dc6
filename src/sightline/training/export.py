"""From a trained network to one ONNX file: small weights, dynamic batch, checked against PyTorch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .nets.blocks import contiguous

__all__ = ["Session", "export", "halve_weights", "largest_difference", "sha256"]


def export(
    model: nn.Module,
    example: Tensor,
    path: Path,
    *,
    inputs: tuple[str, ...] = ("input",),
    outputs: tuple[str, ...] = ("output",),
    half: bool = True,
) -> float:
    """Writes ``model`` to ``path`` and returns the largest difference to PyTorch.

    The first axis of every input and output is the batch and may have any length. With ``half``
    the weights are kept as float16 and widened in the graph: half the file, the same float32
    arithmetic (ONNX Runtime folds the casts when it loads the file). Batch normalisation is
    folded into the convolutions first. The difference is measured on ``example`` and on a batch
    of three, through ONNX Runtime.
    """
    # Channels-last memory would be exported as layout operations that ONNX does not need.
    model = contiguous(model.cpu()).float().eval()
    example = example.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    program = torch.onnx.export(
        model,
        (example,),
        dynamo=True,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    if program is None:  # pragma: no cover - with dynamo=True a program always comes back
        raise RuntimeError("the exporter returned no program")
    program.optimize()
    graph = program.model_proto
    if half:
        halve_weights(graph)
    graph.doc_string = ""
    for node in graph.graph.node:  # traces hold paths of the machine that exported
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
    triple = torch.cat([example, example.flip(0).roll(1, -1), example * 0.5])[:3]
    return max(largest_difference(model, path, x) for x in (example[:1], triple))


def halve_weights(model: onnx.ModelProto, least: int = 256) -> None:
    """Stores float32 weights of ``least`` numbers or more as float16, with a Cast behind each."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < least or np.abs(values).max() > 60_000:
            continue
        name = weight.name
        small = numpy_helper.from_array(values.astype(np.float16), name + "_half")
        weight.CopyFrom(small)
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    old = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + old)
    # Shapes noted for weights that are now results of a Cast would be noted twice.
    kept = [value for value in graph.value_info if value.name not in {c.output[0] for c in casts}]
    del graph.value_info[:]
    graph.value_info.extend(kept)


class Session:
    """A file under ONNX Runtime, for the figures that a card quotes."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, pictures: np.ndarray, batch: int = 64) -> list[np.ndarray]:
        """Every output for float32 ``pictures``, in batches."""
        parts = [
            self.session.run(None, {self.input: pictures[at : at + batch]}) for at in range(0, len(pictures), batch)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


@torch.inference_mode()
def largest_difference(model: nn.Module, path: Path, batch: Tensor) -> float:
    """The largest absolute difference of any output number between PyTorch and ONNX Runtime."""
    ours = model(batch)
    ours = ours if isinstance(ours, (tuple, list)) else (ours,)
    theirs = Session(path).run(batch.numpy())
    return max(float(np.abs(a.numpy() - b).max()) for a, b in zip(ours, theirs, strict=True))


def sha256(path: Path) -> str:
    """The digest of a file, as cards state it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
