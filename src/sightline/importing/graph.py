"""What is done to ONNX graphs: batches set free, float32 at both ends, traces of machines dropped, parts cut out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sightline.engines.base import Array

BATCH = "batch"
# Where an operator takes a shape as its input, and how a fixed batch in it is set free: 0 copies the dimension of
# the data, 1 broadcasts to it.
_SHAPES = {"Reshape": (1, 0), "Expand": (1, 1)}
_FLOATS = (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def tidy(model: onnx.ModelProto) -> None:
    """Take out texts that say nothing to an engine: traces, and with them paths of the machine that exported."""
    model.doc_string = ""
    del model.metadata_props[:]
    for part in (model.graph, *model.functions):
        _tidy_graph(part)


def _tidy_graph(graph: Any) -> None:
    graph.doc_string = ""
    if graph.HasField("name"):
        graph.name = "graph" if isinstance(graph, onnx.GraphProto) else graph.name
    del graph.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for inner in _subgraphs(node):
            _tidy_graph(inner)
    if isinstance(graph, onnx.GraphProto):
        for item in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
            item.doc_string = ""
            del item.metadata_props[:]


def free_batch(model: onnx.ModelProto) -> None:
    """Set the first dimension of every input and output free, and the shapes inside that name its fixed size.

    A graph may still need its old batch in other ways: whether it answers others right has to be tried.
    """
    graph = model.graph
    fixed = batch_of(model)
    for values, known in ((graph.input, None), (graph.output, (fixed, 0))):
        for value in values:
            dims = value.type.tensor_type.shape.dim
            if len(dims) and (known is None or dims[0].dim_value in known):
                dims[0].dim_param = BATCH
    del graph.value_info[:]  # shapes noted for the old batch
    if fixed:
        _free_shapes(graph, fixed)


def batch_of(model: onnx.ModelProto) -> int | None:
    """The size that the first dimension of every input is fixed to; None where it is free or not the same."""
    dims = [value.type.tensor_type.shape.dim for value in model.graph.input]
    sizes = {each[0].dim_value if len(each) else 0 for each in dims}
    return sizes.pop() or None if len(sizes) == 1 else None


def fix_batch(model: onnx.ModelProto, size: int) -> None:
    """Name the batch that the graph really takes."""
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if len(dims):
            dims[0].dim_value = size


def _free_shapes(graph: onnx.GraphProto, fixed: int) -> None:
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    added: list[Any] = []
    moving = {value.name for value in graph.input}
    for node in list(graph.node):
        if moving.isdisjoint(inputs_of(node)):
            continue  # made of weights alone
        moving |= set(node.output)
        place, free = _SHAPES.get(node.op_type, (0, 0))
        if node.op_type in _SHAPES and len(node.input) > place:
            shape = constants.get(node.input[place])
            if shape is None or shape.ndim != 1 or len(shape) < 2 or shape[0] != fixed:
                continue
            freed = shape.copy()
            freed[0] = free
            for attribute in [item for item in node.attribute if item.name == "allowzero"]:
                node.attribute.remove(attribute)  # without it, 0 is the dimension of the data
            name = f"{node.name or node.output[0]}/shape_of_any_batch"
            graph.initializer.append(numpy_helper.from_array(freed, name))
            node.input[place] = name
        elif node.op_type == "Resize" and len(node.input) > 3 and node.input[3] in constants:
            added += _free_resize(graph, node, constants[node.input[3]], fixed)
    for before, node in added:
        graph.node.insert(list(graph.node).index(before), node)


def _free_resize(graph: onnx.GraphProto, node: Any, sizes: Array, fixed: int) -> list[tuple[Any, Any]]:
    """`Resize` to a size that is all constant takes the first number from its data instead."""
    if len(sizes) < 2 or sizes[0] != fixed:
        return []
    name = node.name or node.output[0]
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([0], np.int64), f"{name}/first"),
            numpy_helper.from_array(sizes[1:].astype(np.int64), f"{name}/sizes_without_batch"),
        ]
    )
    made = [
        helper.make_node("Shape", [node.input[0]], [f"{name}/shape"], name=f"{name}/shape"),
        helper.make_node("Gather", [f"{name}/shape", f"{name}/first"], [f"{name}/batch"], name=f"{name}/batch"),
        helper.make_node("Concat", [f"{name}/batch", f"{name}/sizes_without_batch"], [f"{name}/sizes"], axis=0),
    ]
    node.input[3] = f"{name}/sizes"
    return [(node, item) for item in made]


def float_ends(model: onnx.ModelProto) -> None:
    """Let inputs and outputs of other floating-point types be float32, by a Cast at each."""
    graph = model.graph
    for value in graph.input:
        kind = value.type.tensor_type
        if kind.elem_type in _FLOATS:
            inner = f"{value.name}/cast"
            _rename(graph, value.name, inner)
            graph.node.insert(0, helper.make_node("Cast", [value.name], [inner], to=kind.elem_type))
            kind.elem_type = TensorProto.FLOAT
    for value in graph.output:
        kind = value.type.tensor_type
        if kind.elem_type in _FLOATS:
            inner = f"{value.name}/uncast"
            _rename(graph, value.name, inner)
            graph.node.append(helper.make_node("Cast", [inner], [value.name], to=TensorProto.FLOAT))
            kind.elem_type = TensorProto.FLOAT


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new


def inputs_of(node: Any) -> Iterator[str]:
    """The tensors a node reads, those that its inner graphs take from outside included."""
    yield from (name for name in node.input if name)
    for inner in _subgraphs(node):
        made = {item.name for item in inner.initializer} | {item.name for item in inner.input}
        for child in inner.node:
            yield from (name for name in inputs_of(child) if name not in made)
            made |= set(child.output)
        yield from (value.name for value in inner.output if value.name not in made)


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def tensors_of(graph: Any) -> Iterator[Any]:
    """Every constant of a graph: initializers, those inside attributes, and those of inner graphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else attribute.tensors)
        for inner in _subgraphs(node):
            yield from tensors_of(inner)


def cut(model: onnx.ModelProto, inputs: Mapping[str, Any], outputs: Sequence[str]) -> onnx.ModelProto:
    """The part of a graph between tensors: `inputs` by name, with the dimensions each has (None: unknown rank).

    A `Shape` of a tensor outside the part, by which exporters name the batch, is asked of the first input instead.
    Raises `KeyError` where the part needs another input.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output if name}
    weights = {item.name: item for item in graph.initializer}
    first = next(iter(inputs))
    inside: set[int] = set()
    used: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in inputs or name in weights:
            used.add(name)
            continue
        node = makers[name]
        if id(node) in inside:
            continue
        inside.add(id(node))
        if node.op_type != "Shape":
            waiting += inputs_of(node)
    made = {name for node in graph.node if id(node) in inside for name in node.output} | set(inputs) | set(weights)
    nodes = []
    for node in graph.node:
        if id(node) in inside:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            if node.op_type == "Shape" and node.input[0] not in made:
                copied.input[0] = first
            nodes.append(copied)
    part = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [weights[name] for name in weights if name in used or any(name in inputs_of(node) for node in nodes)],
    )
    return helper.make_model(
        part, opset_imports=model.opset_import, ir_version=model.ir_version, functions=list(model.functions)
    )


def keep_channel(model: onnx.ModelProto, axis: int, channel: int, *, soft: bool) -> None:
    """Replace the only output by one of its channels; `soft` takes the softmax over the channels first."""
    graph = model.graph
    (value,) = graph.output
    inner = f"{value.name}/channels"
    _rename(graph, value.name, inner)
    if soft:
        graph.node.append(helper.make_node("Softmax", [inner], [f"{inner}/soft"], axis=axis))
        inner = f"{inner}/soft"
    graph.initializer.append(numpy_helper.from_array(np.array([channel], np.int64), f"{value.name}/channel"))
    graph.node.append(helper.make_node("Gather", [inner, f"{value.name}/channel"], [value.name], axis=axis))
    dims = value.type.tensor_type.shape.dim
    if len(dims) > axis:
        dims[axis].Clear()
        dims[axis].dim_value = 1


def scale_output(model: onnx.ModelProto, scales: Sequence[Array]) -> None:
    """Replace the only output, D numbers a row, by its product with each of `scales` (D numbers), side by side."""
    graph = model.graph
    (value,) = graph.output
    inner, flat = f"{value.name}/unscaled", f"{value.name}/flat"
    _rename(graph, value.name, inner)
    graph.node.append(helper.make_node("Flatten", [inner], [flat], axis=1))
    parts = [f"{value.name}/part_{number}" for number in range(len(scales))]
    for part, scale in zip(parts, scales, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(scale, np.float32), f"{part}/scale"))
        graph.node.append(helper.make_node("Mul", [flat, f"{part}/scale"], [part]))
    graph.node.append(helper.make_node("Concat", parts, [value.name], axis=1))
