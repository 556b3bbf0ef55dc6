"""What each op of a TensorFlow.js graph is in ONNX (opset 18).

One function an op: it is given the writer, the node and its inputs, and returns the node's outputs. Those that work on
channels-first values without turning them back say so by `spatial`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from sightline.errors import ModelError
from sightline.models.importers.tfjs_graph import SPATIAL_AXIS, Node, Value, Writer

OPSET = 18
Inputs = Sequence[Value]
Op = Callable[[Writer, Node, Inputs], Sequence[Value]]

TYPES = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32, "DT_BOOL": TensorProto.BOOL}


def write(writer: Writer, node: Node, inputs: Inputs) -> Sequence[Value]:
    """Write one node. Raises `ModelError` naming the op that is not known, or what of it cannot be converted."""
    if node.op not in OPS:
        raise ModelError(f"the op {node.op} of the node {node.name} is not known; known are {', '.join(sorted(OPS))}")
    try:
        return OPS[node.op](writer, node, inputs)
    except (IndexError, KeyError, ValueError) as error:
        raise node.refuse(f"its inputs or attributes are not what they must be ({error!r})") from None


def _elementwise(kind: str, writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    names, spatial = _alike(writer, inputs)
    return [writer.node(kind, names, spatial=spatial)]


def _alike(writer: Writer, inputs: Inputs) -> tuple[list[str], bool]:
    """The inputs in one layout: channels-first where all that is not constant lies so."""
    moving = [value for value in inputs if value.constant is None]
    fits = all(value.constant.ndim <= 4 for value in inputs if value.constant is not None)
    spatial = bool(moving) and fits and all(value.spatial for value in moving)
    return [(writer.spatial if spatial else writer.plain)(value) for value in inputs], spatial


def _relu6(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    names, spatial = _alike(writer, inputs)
    return [_clip(writer, names[0], spatial)]


def _clip(writer: Writer, name: str, spatial: bool) -> Value:
    bounds = [writer.constant(np.array(bound, np.float32)) for bound in (0, 6)]
    return writer.node("Clip", [name, *bounds], spatial=spatial)


def _squared_difference(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    names, spatial = _alike(writer, inputs)
    difference = writer.node("Sub", names).name
    return [writer.node("Mul", [difference, difference], spatial=spatial)]


def _floor_div(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    names, spatial = _alike(writer, inputs)
    if node.type("T") == "DT_INT32":  # ONNX's division of whole numbers rounds towards zero
        rest = writer.node("Mod", names).name
        whole = writer.node("Sub", [names[0], rest]).name
        return [writer.node("Div", [whole, names[1]], spatial=spatial)]
    return [writer.node("Floor", [writer.node("Div", names).name], spatial=spatial)]


def _floor_mod(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    if node.type("T") != "DT_INT32":
        raise node.refuse("only whole numbers are taken")
    return _elementwise("Mod", writer, node, inputs)


def _cast(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    if node.type("DstT") not in TYPES:
        raise node.refuse(f"the type {node.type('DstT')} is not known")
    names, spatial = _alike(writer, inputs)
    return [writer.node("Cast", names, spatial=spatial, to=TYPES[node.type("DstT")])]


def _convolution(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    filters = _known(node, inputs, 1)  # height, width, in, out
    if "Depthwise" in node.op:  # height, width, in, of each: the outputs of one input lie together
        height, width, group, each = filters.shape
        weights = filters.transpose(2, 3, 0, 1).reshape(group * each, 1, height, width)
    else:
        group, weights = 1, filters.transpose(3, 2, 0, 1)
    fused = node.texts("fused_ops")
    names = [writer.spatial(inputs[0]), writer.constant(weights)]
    if "BiasAdd" in fused:
        names.append(writer.constant(_known(node, inputs, 2)))
        fused.remove("BiasAdd")
    out = writer.node("Conv", names, spatial=True, group=group, **_window(node, filters.shape[0], filters.shape[1]))
    if not fused:
        return [out]
    if fused == ["Relu"]:
        return [writer.node("Relu", [out.name], spatial=True)]
    if fused == ["Relu6"]:
        return [_clip(writer, out.name, True)]
    raise node.refuse(f"{' and '.join(fused)} within it is not known")


def _window(node: Node, height: int, width: int) -> dict[str, Any]:
    """The ONNX attributes of a window of this size that slides over rows and columns."""
    if node.text("data_format") not in ("NHWC", ""):
        raise node.refuse(f"its layout is {node.text('data_format')}; TensorFlow.js has NHWC")
    strides, dilations = node.integers("strides")[1:3], node.integers("dilations")[1:3] or [1, 1]
    attributes: dict[str, Any] = {"kernel_shape": [height, width], "strides": strides}
    if dilations != [1, 1]:
        attributes["dilations"] = dilations
    padding = node.text("padding")
    if padding == "VALID":
        return attributes
    if padding != "SAME":
        raise node.refuse(f"the padding {padding} is not known")
    if dilations == [1, 1]:
        return {**attributes, "auto_pad": "SAME_UPPER"}
    if strides != [1, 1]:
        raise node.refuse("it has both strides and dilations")
    reach = [(side - 1) * step for side, step in zip((height, width), dilations, strict=True)]
    return {**attributes, "pads": [*(r // 2 for r in reach), *(r - r // 2 for r in reach)]}


def _max_pool(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    height, width = node.integers("ksize")[1:3]
    return [writer.node("MaxPool", [writer.spatial(inputs[0])], spatial=True, **_window(node, height, width))]


def _resize(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    if node.flag("half_pixel_centers"):
        mode = "half_pixel"
    else:
        mode = "align_corners" if node.flag("align_corners") else "asymmetric"
    name, size = writer.spatial(inputs[0]), writer.constant(_known(node, inputs, 1).astype(np.int64))
    # Not by the attribute `axes`: ONNX Runtime (1.31) loses the sizes where it moves a transposition past such a node.
    sizes = writer.node("Concat", [writer.node("Shape", [name], end=2).name, size], axis=0).name
    return [
        writer.node("Resize", [name, "", "", sizes], spatial=True, mode="linear", coordinate_transformation_mode=mode)
    ]


def _mean(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    axes, keep = _integers(node, inputs, 1), node.flag("keep_dims")
    value = inputs[0]
    if value.spatial and keep:
        places = writer.constant(np.array([SPATIAL_AXIS[axis] for axis in axes], np.int64))
        return [writer.node("ReduceMean", [value.name, places], spatial=True, keepdims=1)]
    places = writer.constant(np.array(axes, np.int64))
    return [writer.node("ReduceMean", [writer.plain(value), places], keepdims=int(keep))]


def _concat(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    (axis,) = _integers(node, inputs, len(inputs) - 1)
    parts = inputs[:-1]
    if all(part.spatial for part in parts):
        return [writer.node("Concat", [part.name for part in parts], spatial=True, axis=SPATIAL_AXIS[axis])]
    return [writer.node("Concat", [writer.plain(part) for part in parts], axis=axis)]


def _reshape(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    return [writer.node("Reshape", [writer.plain(inputs[0]), _wide(writer, inputs[1])])]


def _expand(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    places = writer.constant(np.array(_integers(node, inputs, 1), np.int64))
    return [writer.node("Unsqueeze", [writer.plain(inputs[0]), places])]


def _squeeze(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    axes = node.integers("squeeze_dims")
    places = [writer.constant(np.array(axes, np.int64))] if axes else []
    return [writer.node("Squeeze", [writer.plain(inputs[0]), *places])]


def _pack(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    axis = node.integer("axis")
    place = writer.constant(np.array([axis], np.int64))
    return [writer.node("Concat", [writer.node("Unsqueeze", [writer.plain(v), place]).name for v in inputs], axis=axis)]


def _unpack(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    axis, count = node.integer("axis"), node.integer("num")
    place = writer.constant(np.array([axis], np.int64))
    parts = writer.many("Split", [writer.plain(inputs[0])], count, axis=axis, num_outputs=count)
    return [writer.node("Squeeze", [part.name, place]) for part in parts]


def _strided_slice(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    if node.integer("ellipsis_mask") or node.integer("new_axis_mask"):
        raise node.refuse("it leaves out or adds axes")
    begin, end, step = (_integers(node, inputs, index) for index in (1, 2, 3))
    furthest = np.iinfo(np.int64).max
    single = []
    for axis in range(len(begin)):
        bit = 1 << axis
        if node.integer("shrink_axis_mask") & bit:
            single.append(axis)
            end[axis] = begin[axis] + 1 or furthest
            continue
        if node.integer("begin_mask") & bit:
            begin[axis] = 0 if step[axis] > 0 else furthest
        if node.integer("end_mask") & bit:
            end[axis] = furthest if step[axis] > 0 else -furthest
    bounds = [writer.constant(np.array(b, np.int64)) for b in (begin, end, list(range(len(begin))), step)]
    out = writer.node("Slice", [writer.plain(inputs[0]), *bounds])
    if not single:
        return [out]
    return [writer.node("Squeeze", [out.name, writer.constant(np.array(single, np.int64))])]


def _gather(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    if node.integer("batch_dims"):
        raise node.refuse("it gathers by batch")
    (axis,) = _integers(node, inputs, 2)
    return [writer.node("Gather", [writer.plain(inputs[0]), writer.plain(inputs[1])], axis=axis)]


def _gather_nd(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    return [writer.node("GatherND", [writer.plain(inputs[0]), _wide(writer, inputs[1])])]


def _arg_max(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    (axis,) = _integers(node, inputs, 1)
    return [_narrow(writer, writer.node("ArgMax", [writer.plain(inputs[0])], axis=axis, keepdims=0))]


def _top_k(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    count = writer.constant(_known(node, inputs, 1).astype(np.int64).reshape(1))
    values, indices = writer.many("TopK", [writer.plain(inputs[0]), count], 2, axis=-1)
    return [values, _narrow(writer, indices)]


def _identity(writer: Writer, node: Node, inputs: Inputs) -> list[Value]:
    return [inputs[0]]


def _known(node: Node, inputs: Inputs, index: int) -> npt.NDArray[Any]:
    """The numbers of an input that must be known before the graph runs."""
    numbers = inputs[index].constant
    if numbers is None:
        raise node.refuse(f"its input {index} must be constant")
    return numbers


def _integers(node: Node, inputs: Inputs, index: int) -> list[int]:
    return [int(number) for number in _known(node, inputs, index).reshape(-1)]


def _wide(writer: Writer, value: Value) -> str:
    """A value of whole numbers as int64: what ONNX wants for shapes and indices, where TensorFlow has int32."""
    if value.constant is not None:
        return writer.constant(value.constant.astype(np.int64))
    return writer.node("Cast", [writer.plain(value)], to=TensorProto.INT64).name


def _narrow(writer: Writer, value: Value) -> Value:
    return writer.node("Cast", [value.name], to=TensorProto.INT32)


OPS: dict[str, Op] = {
    **{
        name: partial(_elementwise, kind)
        for name, kind in {
            "Add": "Add",
            "AddV2": "Add",
            "Equal": "Equal",
            "Mul": "Mul",
            "RealDiv": "Div",
            "Relu": "Relu",
            "Sigmoid": "Sigmoid",
            "Sqrt": "Sqrt",
            "Sub": "Sub",
        }.items()
    },
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative", "_FusedConv2D"), _convolution),
    "ArgMax": _arg_max,
    "Cast": _cast,
    "ConcatV2": _concat,
    "ExpandDims": _expand,
    "FloorDiv": _floor_div,
    "FloorMod": _floor_mod,
    "GatherNd": _gather_nd,
    "GatherV2": _gather,
    "Identity": _identity,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Pack": _pack,
    "Relu6": _relu6,
    "Reshape": _reshape,
    "ResizeBilinear": _resize,
    "SquaredDifference": _squared_difference,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "TopKV2": _top_k,
    "Unpack": _unpack,
}
