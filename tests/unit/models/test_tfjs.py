"""TensorFlow.js graphs as ONNX, against the same ops in NumPy: channels last, as TensorFlow has them."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import onnx
import pytest

from sightline.engines.registry import open_engine
from sightline.errors import ModelError
from sightline.models.importers import find
from sightline.settings import Settings

RANDOM = np.random.default_rng(3)


def _s(text):
    return {"s": base64.b64encode(text.encode()).decode()}


def _ints(*numbers):
    return {"list": {"i": [str(number) for number in numbers]}}


def _texts(*texts):
    return {"list": {"s": [base64.b64encode(text.encode()).decode() for text in texts]}}


def _type(array):
    return {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}[str(np.asarray(array).dtype)]


class Graph:
    """A model.json put together in a test."""

    def __init__(self, folder) -> None:
        self.folder, self.nodes, self.entries, self.data = folder, [], [], b""

    def add(self, name, op, *inputs, **attributes):
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def constant(self, name, values, code=None):
        values = np.asarray(values)
        entry = {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        if code == "float16":
            entry["quantization"], raw = {"dtype": code}, values.astype("<f2")
        elif code:
            low, high = float(values.min()), float(values.max())
            scale = (high - low) / np.iinfo(code).max
            entry["quantization"] = {"dtype": code, "scale": scale, "min": low}
            raw = np.rint((values - low) / scale).astype(code)
        else:
            raw = values
        self.entries.append(entry)
        self.data += raw.tobytes()
        return self.add(name, "Const", dtype={"type": _type(values)})

    def convert(self, x, outputs, shards=1):
        """The engine of the converted graph; `x` is what its one input takes."""
        self.add("x", "Placeholder")
        paths = [f"group{number}.bin" for number in range(shards)]
        step = -(-len(self.data) // shards)
        for number, path in enumerate(paths):
            (self.folder / path).write_bytes(self.data[number * step : (number + 1) * step])
        dims = [{"size": str(size)} for size in x.shape]
        free = {"unknownRank": False, "dim": [{"size": "-1"}]}
        model = {
            "modelTopology": {"node": self.nodes[::-1]},  # in no useful order
            "signature": {
                "inputs": {"x": {"name": "x:0", "dtype": _type(x), "tensorShape": {"dim": dims}}},
                "outputs": {
                    name: {"name": f"{name}:0", "dtype": _type(value), "tensorShape": {"dim": free["dim"] * value.ndim}}
                    for name, value in outputs.items()
                },
            },
            "weightsManifest": [{"paths": paths, "weights": self.entries}],
        }
        (self.folder / "model.json").write_text(json.dumps(model))
        files = {path.name: path for path in self.folder.iterdir() if path.name in ("model.json", *paths)}
        find("tfjs").convert(files, self.folder / "model.onnx")
        return open_engine("onnx", self.folder / "model.onnx", Settings(threads=1))

    def check(self, x, outputs, **tolerance):
        """That the converted graph answers `outputs` (by name) for `x`."""
        found = self.convert(x, outputs).run(x)
        for got, (name, wanted) in zip(found, outputs.items(), strict=True):
            assert got.dtype == wanted.dtype, name
            np.testing.assert_allclose(got, wanted, err_msg=name, **{"rtol": 1e-5, "atol": 1e-5, **tolerance})

    def kinds(self):
        return [node.op_type for node in onnx.load(self.folder / "model.onnx").graph.node]


@pytest.fixture
def graph(tmp_path):
    return Graph(tmp_path)


def _same_padding(x, size, stride, dilation=1, value=0.0):
    """TensorFlow's SAME: what is missing is added on both sides, the odd one at the end."""
    pads = [(0, 0)]
    for length, side in zip(x.shape[1:3], size, strict=True):
        reach = (side - 1) * dilation + 1
        missing = max((-(-length // stride) - 1) * stride + reach - length, 0)
        pads.append((missing // 2, missing - missing // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=value)


def _windows(x, size, stride, dilation=1):
    spans = [(side - 1) * dilation + 1 for side in size]
    windows = np.lib.stride_tricks.sliding_window_view(x, spans, (1, 2))
    return windows[:, ::stride, ::stride, :, ::dilation, ::dilation]


def _convolve(x, filters, stride, dilation=1):
    windows = _windows(x, filters.shape[:2], stride, dilation)  # N, H, W, C, kh, kw
    return np.einsum("nhwcij,ijco->nhwo", windows, filters)


def _depthwise(x, filters, stride):
    windows = _windows(x, filters.shape[:2], stride)
    return np.einsum("nhwcij,ijcm->nhwcm", windows, filters).reshape(*windows.shape[:3], -1)


def _window(stride, padding, dilation=1, **more):
    return {
        "strides": _ints(1, stride, stride, 1),
        "dilations": _ints(1, dilation, dilation, 1),
        "padding": _s(padding),
        "data_format": _s("NHWC"),
        **more,
    }


@pytest.mark.parametrize("code", [None, "float16", "uint8", "uint16"])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [(1, "SAME", 1), (2, "SAME", 1), (2, "VALID", 1), (1, "SAME", 2)]
)
def test_a_convolution_sees_what_tensorflows_sees(graph, stride, padding, dilation, code):
    x = RANDOM.normal(size=(1, 9, 8, 3)).astype(np.float32)
    filters = np.round(RANDOM.uniform(-1, 1, (3, 3, 3, 5)) * 64).astype(np.float32) / 64
    bias = RANDOM.normal(size=5).astype(np.float32)
    graph.constant("w", filters, code)
    graph.constant("b", bias)
    fused = {"fused_ops": _texts("BiasAdd", "Relu6")}
    graph.add("y", "_FusedConv2D", "x", "w", "b", **_window(stride, padding, dilation, **fused))
    padded = _same_padding(x, (3, 3), stride, dilation) if padding == "SAME" else x
    wanted = np.clip(_convolve(padded, filters, stride, dilation) + bias, 0, 6).astype(np.float32)
    assert wanted.any()
    graph.check(x, {"y": wanted}, atol=0.1 if code == "uint8" else 1e-3 if code else 1e-5)


@pytest.mark.parametrize("each", [1, 2])
def test_a_depthwise_convolution(graph, each):
    x = RANDOM.normal(size=(1, 7, 6, 4)).astype(np.float32)
    filters = RANDOM.normal(size=(3, 3, 4, each)).astype(np.float32)
    bias = RANDOM.normal(size=4 * each).astype(np.float32)
    graph.constant("w", filters)
    graph.constant("b", bias)
    graph.add("plain", "DepthwiseConv2dNative", "x", "w", **_window(2, "SAME"))
    fused = {"fused_ops": _texts("BiasAdd", "Relu")}
    graph.add("fused", "FusedDepthwiseConv2dNative", "x", "w", "b", **_window(2, "SAME", **fused))
    wanted = _depthwise(_same_padding(x, (3, 3), 2), filters, 2)
    outputs = {"plain": wanted, "fused": np.maximum(wanted + bias, 0)}
    graph.check(x, {name: value.astype(np.float32) for name, value in outputs.items()})
    assert graph.kinds().count("Transpose") == 3, "once at the input, once at each output"


def test_channels_stay_first_between_convolutions(graph):
    """A whole stage of a mobile network: convolution, hard swish, squeeze and excite, resize, pool, join."""
    x = RANDOM.normal(size=(1, 8, 8, 3)).astype(np.float32)
    w, v = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((1, 1, 3, 4), (1, 1, 4, 4)))
    shift = RANDOM.normal(size=4).astype(np.float32)
    for name, value in {
        "w": w,
        "v": v,
        "shift": shift,
        "three": np.float32(3),
        "axes": np.array([1, 2], np.int32),
    }.items():
        graph.constant(name, value)
    graph.constant("size", np.array([16, 16], np.int32))
    graph.constant("last", np.int32(-1))
    graph.add("c", "Conv2D", "x", "w", **_window(1, "SAME"))
    graph.add("c3", "Add", "c", "three")
    graph.add("c6", "Relu6", "c3")
    graph.add("swish", "Mul", "c6", "c")
    graph.add("mean", "Mean", "swish", "axes", keep_dims={"b": True})
    graph.add("squeezed", "Conv2D", "mean", "v", **_window(1, "SAME"))
    graph.add("gate", "Sigmoid", "squeezed")
    graph.add("gated", "Mul", "gate", "swish")
    graph.add("shifted", "AddV2", "gated", "shift")
    graph.add("large", "ResizeBilinear", "shifted", "size", half_pixel_centers={"b": True})
    graph.add("pooled", "MaxPool", "large", **_window(2, "SAME", ksize=_ints(1, 3, 3, 1)))
    graph.add("joined", "ConcatV2", "pooled", "shifted", "last")
    c = _convolve(x, w, 1)
    swish = np.clip(c + 3, 0, 6) * c
    gate = 1 / (1 + np.exp(-_convolve(swish.mean((1, 2), keepdims=True), v, 1)))
    shifted = gate * swish + shift
    pooled = _windows(_same_padding(_bilinear(shifted, 16), (3, 3), 2, value=-np.inf), (3, 3), 2).max((4, 5))
    wanted = np.concatenate([pooled, shifted], axis=3).astype(np.float32)
    graph.check(x, {"joined": wanted}, rtol=1e-4, atol=1e-4)
    assert graph.kinds().count("Transpose") == 2


def _bilinear(x, side):
    """Half-pixel centres, as OpenCV has them."""
    cv2 = pytest.importorskip("cv2")
    return cv2.resize(x[0].astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)[None]


@pytest.mark.parametrize(("corners", "places"), [(False, [0, 0.75, 1.5, 2.25]), (True, [0, 2 / 3, 4 / 3, 2])])
def test_the_older_ways_to_place_pixels_when_resizing(graph, corners, places):
    x = np.zeros((1, 3, 3, 1), np.float32)
    x[0, :, :, 0] = np.arange(3)[None]
    graph.constant("size", np.array([3, 4], np.int32))
    graph.add("y", "ResizeBilinear", "x", "size", align_corners={"b": corners})
    wanted = np.broadcast_to(np.minimum(places, 2)[None, None, :, None], (1, 3, 4, 1)).astype(np.float32)
    graph.check(x, {"y": wanted})


def test_a_value_between_layouts_is_turned_once(graph):
    x = RANDOM.normal(size=(1, 4, 4, 2)).astype(np.float32)
    w = RANDOM.normal(size=(1, 1, 2, 2)).astype(np.float32)
    graph.constant("w", w)
    graph.constant("flat", np.array([-1, 2], np.int32))
    graph.add("c", "Conv2D", "x", "w", **_window(1, "SAME"))
    for name in ("a", "b"):
        graph.add(name, "Reshape", "c", "flat")
    graph.add("mixed", "Add", "c", "x")
    c = _convolve(x, w, 1).astype(np.float32)
    graph.check(x, {"a": c.reshape(-1, 2), "b": c.reshape(-1, 2), "mixed": c + x})
    assert graph.kinds().count("Transpose") == 2


def test_whole_numbers_divide_and_wrap_as_pythons_do(graph):
    x = np.array([-7, -1, 0, 5, 9], np.int32)
    graph.constant("by", np.int32(4))
    graph.add("quotient", "FloorDiv", "x", "by", T={"type": "DT_INT32"})
    graph.add("rest", "FloorMod", "x", "by", T={"type": "DT_INT32"})
    graph.add("real", "Cast", "x", DstT={"type": "DT_FLOAT"})
    graph.add("off", "SquaredDifference", "real", "real2")
    graph.constant("real2", np.float32(2))
    outputs = {"quotient": x // 4, "rest": x % 4, "off": np.square(x - 2).astype(np.float32)}
    graph.check(x, {name: value.astype(value.dtype) for name, value in outputs.items()})


def test_peaks_are_found_and_gathered(graph):
    """What follows the last layer of a detector: the best places, their rows and columns, and what stands there."""
    x = RANDOM.permutation(np.arange(24, dtype=np.float32)).reshape(1, 4, 6, 1)
    graph.constant("flat", np.array([1, 24], np.int32))
    graph.constant("k", np.int32(3))
    graph.constant("width", np.int32(6))
    graph.constant("zero", np.int32(0))
    graph.constant("one", np.int32(1))
    graph.add("row", "Reshape", "x", "flat")
    graph.add("top", "TopKV2", "row", "k", sorted={"b": True})
    graph.add("which", "Identity", "top:1")
    graph.add("y", "FloorDiv", "top:1", "width", T={"type": "DT_INT32"})
    graph.add("first", "Unpack", "x", num={"i": "1"}, axis={"i": "0"})
    graph.add("best", "ArgMax", "row", "one", output_type={"type": "DT_INT32"})
    graph.add("place", "Pack", "zero", "zero", axis={"i": "0"})
    graph.add("corner", "GatherNd", "first", "place")
    graph.add("picked", "GatherV2", "x", "y", "one", batch_dims={"i": "0"})
    graph.add("wide", "ExpandDims", "best", "zero")
    graph.add("narrow", "Squeeze", "wide", squeeze_dims=_ints(0))
    order = np.argsort(-x.reshape(-1))[:3].astype(np.int32)[None]
    outputs = {
        "which": order,
        "y": order // 6,
        "corner": x[0, 0, 0],
        "picked": np.take(x, order // 6, 1),
        "narrow": order[:, 0],
    }
    graph.check(x, outputs)


def test_outputs_keep_their_names_whatever_they_are(graph):
    x = np.arange(3, dtype=np.float32)
    graph.add("Relu_2", "Relu", "x")
    graph.add("Relu_1", "Sqrt", "Relu_2")
    graph.check(x, {"Relu_1": np.sqrt(x), "Relu_2": x})


def test_slices(graph):
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    for name, numbers in {"begin": [1, 0, -1], "end": [3, 4, 0], "step": [1, 2, 1], "back": [1, 1, -1]}.items():
        graph.constant(name, np.array(numbers, np.int32))
    graph.add("last", "StridedSlice", "x", "begin", "end", "step", shrink_axis_mask={"i": "4"}, end_mask={"i": "1"})
    graph.add("back_", "StridedSlice", "x", "begin", "end", "back", begin_mask={"i": "6"}, end_mask={"i": "4"})
    graph.check(x, {"last": x[1:, 0:4:2, -1], "back_": x[1:3, :4, ::-1]})


def test_weights_in_shards_and_the_same_bytes_each_time(graph):
    x = RANDOM.normal(size=(2, 3)).astype(np.float32)
    graph.constant("a", np.arange(3, dtype=np.float32))
    graph.add("y", "Add", "x", "a")
    (found,) = graph.convert(x, {"y": x}, shards=3).run(x)
    assert (found == x + np.arange(3, dtype=np.float32)).all()
    files = {path.name: path for path in graph.folder.iterdir() if path.suffix in (".json", ".bin")}
    hashes = set()
    for order in (files, dict(reversed(files.items()))):
        find("tfjs").convert(order, graph.folder / "again.onnx")
        hashes.add(hashlib.sha256((graph.folder / "again.onnx").read_bytes()).hexdigest())
    assert hashes == {hashlib.sha256((graph.folder / "model.onnx").read_bytes()).hexdigest()}


def test_an_op_that_is_not_known_is_named(graph):
    graph.add("strange", "NonMaxSuppressionV5", "x")
    with pytest.raises(ModelError, match=r"NonMaxSuppressionV5 of the node strange.*ResizeBilinear"):
        graph.convert(np.zeros(3, np.float32), {"strange": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "said"),
    [
        ("ResizeBilinear", ("x", "y0"), {}, "its input 1 must be constant"),
        ("Cast", ("x",), {"DstT": {"type": "DT_STRING"}}, "DT_STRING"),
        ("GatherV2", ("x", "x", "x"), {"batch_dims": {"i": "1"}}, "by batch"),
        ("FloorMod", ("x", "x"), {"T": {"type": "DT_FLOAT"}}, "whole numbers"),
        ("Conv2D", ("x", "w"), {"padding": _s("EXPLICIT"), "strides": _ints(1, 1, 1, 1)}, "EXPLICIT"),
        ("Conv2D", ("x", "w"), {"data_format": _s("NCHW"), "strides": _ints(1, 1, 1, 1)}, "NCHW"),
        ("Conv2D", ("x",), {}, "inputs or attributes"),
        ("Relu", ("nowhere",), {}, "no node 'nowhere'"),
        ("Relu", ("y",), {}, "circle"),
        ("Relu", ("empty",), {}, "no weights"),
    ],
)
def test_what_cannot_be_converted_is_named(graph, op, inputs, attributes, said):
    graph.constant("w", np.ones((1, 1, 1, 1), np.float32))
    graph.add("y0", "Relu", "x")
    graph.add("empty", "Const")
    graph.add("y", op, *inputs, **attributes)
    with pytest.raises(ModelError, match=said):
        graph.convert(np.zeros((1, 2, 2, 1), np.float32), {"y": np.zeros((1, 2, 2, 1), np.float32)})


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"modelTopology": {"node": [3]}}', '{"modelTopology": 1}'])
def test_a_file_that_is_no_graph_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json is no graph model"):
        find("tfjs").convert({"model.json": tmp_path / "model.json"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_graphs_are_refused(tmp_path):
    with pytest.raises(ModelError, match="exactly one"):
        find("tfjs").convert({"a.json": tmp_path, "b.json": tmp_path}, tmp_path / "out")
