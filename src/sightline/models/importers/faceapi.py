"""dlib's 128-number face network, from the files of face-api, as an ONNX graph.

The weights are Davis King's `dlib_face_recognition_resnet_model_v1` (a ResNet of 29 convolutions), published by the
npm package `@vladmandic/face-api` as TensorFlow.js weights, most of them in 8 bits: value = byte * scale + min.
The structure follows that package's `src/faceRecognitionNet`.

The graph: input `faces` (N x 3 x 150 x 150 float32, RGB, (pixel - (122.782, 117.001, 104.298)) / 256), output
`embedding` (N x 128 float32), to be compared by Euclidean distance: below 0.6 is the same person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from sightline.errors import ModelError
from sightline.models.importers import tfjs_weights

Weights = dict[str, npt.NDArray[np.float64]]

SIDE, NUMBERS = 150, 128
# Residual blocks in order. The `down` ones halve the picture; those that also widen it have twice the channels.
BLOCKS = (
    *("conv32_1", "conv32_2", "conv32_3"),
    *("conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    *("conv128_down", "conv128_1", "conv128_2"),
    *("conv256_down", "conv256_1", "conv256_2", "conv256_down_out"),
)
# Old enough for every ONNX Runtime that Sightline allows.
_OPSET, _IR = 17, 8


class FaceApiImporter:
    """Reads `*-weights_manifest.json` and the `.bin` that it names."""

    def convert(self, files: Mapping[str, Path], output: Path) -> None:
        output.write_bytes(build(read_weights(files)))


def read_weights(files: Mapping[str, Path]) -> Weights:
    """Every tensor of a TensorFlow.js weights manifest, dequantised, in its own shape. Raises `ModelError`."""
    manifests = [path for name, path in files.items() if name.endswith("manifest.json")]
    if len(manifests) != 1:
        raise ModelError("face-api's weights come with exactly one *-weights_manifest.json")
    try:
        manifest = json.loads(manifests[0].read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{manifests[0].name} does not describe these weights: {error!r}") from None
    tensors = tfjs_weights.read(manifest, files, manifests[0].name)
    return {name: values.astype(np.float64) for name, values in tensors.items()}


def build(weights: Weights) -> bytes:
    """The serialised ONNX model. Raises `ModelError` for weights of another network."""
    graph = _Graph(weights)
    try:
        graph.write()
    except KeyError as error:
        raise ModelError(f"these are not the weights of the face network: {error.args[0]} is missing") from None
    shape: list[Any] = ["batch"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib_face",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, [*shape, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [*shape, NUMBERS])],
            graph.constants,
        ),
        producer_name="sightline",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ModelError(f"these are not the weights of the face network: {str(error).splitlines()[0]}") from None
    written: bytes = model.SerializeToString(deterministic=True)
    return written


class _Graph:
    """The nodes and constants of the network, in order; each method adds a part and returns its output's name."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._weights = weights

    def write(self) -> None:
        x = self._convolution("faces", "conv32_down", stride=2, pad=0)
        x, side = self._relu(x), (SIDE - 7) // 2 + 1
        x = self._node("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2])
        side = (side - 3) // 2 + 1
        for block in BLOCKS:
            x, side = self._down(x, block, side) if "down" in block else (self._residual(x, block), side)
        x = self._node("GlobalAveragePool", [x], "mean")
        x = self._node("Flatten", [x], "flat", axis=1)
        self._node("MatMul", [x, self._constant("fc", self._weights["fc"])], "embedding")

    def _residual(self, x: str, name: str) -> str:
        out = self._relu(self._convolution(x, f"{name}/conv1", stride=1, pad=1))
        out = self._convolution(out, f"{name}/conv2", stride=1, pad=1)
        return self._relu(self._node("Add", [x, out], f"{name}/sum"))

    def _down(self, x: str, name: str, side: int) -> tuple[str, int]:
        """A residual block whose shortcut is averaged 2 x 2; what is smaller or narrower is filled up with zeros."""
        out = self._relu(self._convolution(x, f"{name}/conv1", stride=2, pad=0))
        out = self._convolution(out, f"{name}/conv2", stride=1, pad=1)
        short = self._node("AveragePool", [x], f"{name}/short", kernel_shape=[2, 2], strides=[2, 2])
        filters = self._weights[f"{name}/conv1/conv/filters"]
        before, after = filters.shape[2], filters.shape[3]
        pooled, convolved = side // 2, (side - 3) // 2 + 1
        if pooled != convolved:
            grow = pooled - convolved
            out = self._pad(out, f"{name}/grown", [0, 0, grow, grow])
        if before != after:
            short = self._pad(short, f"{name}/wide", [0, after - before, 0, 0])
        return self._relu(self._node("Add", [short, out], f"{name}/sum")), pooled

    def _convolution(self, x: str, name: str, stride: int, pad: int) -> str:
        """conv * w + b: the scale layer is linear too, so it goes into the convolution's own filters and bias."""
        scale = self._weights[f"{name}/scale/weights"]
        filters = self._weights[f"{name}/conv/filters"] * scale  # height, width, in, out
        bias = self._weights[f"{name}/conv/bias"] * scale + self._weights[f"{name}/scale/biases"]
        inputs = [
            x,
            self._constant(f"{name}/filters", filters.transpose(3, 2, 0, 1)),
            self._constant(f"{name}/bias", bias),
        ]
        return self._node("Conv", inputs, name, strides=[stride, stride], pads=[pad] * 4)

    def _pad(self, x: str, name: str, end: list[int]) -> str:
        pads = numpy_helper.from_array(np.array([0, 0, 0, 0, *end], np.int64), f"{name}/pads")
        self.constants.append(pads)
        return self._node("Pad", [x, pads.name], name)

    def _relu(self, x: str) -> str:
        return self._node("Relu", [x], f"{x}/relu")

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: npt.NDArray[np.float64]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name
