"""Keras configurations: what may be built from one, and what has changed its spelling since Keras 2.

A configuration names classes, and Keras imports what it names. Only Keras's own layers, initialisers and operations are
let through, and of those none that carries code or reads files of its own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import keras

from sightline.errors import ModelError

OPERATION = "operation "
"""Stands before the name of an operation in a legacy configuration, where layers have the same names."""

_CODE = {
    "Lambda": "holds Python code",
    "TFOpLambda": "is an operation of TensorFlow, which only TensorFlow can run",
    "SlicingOpLambda": "is an operation of TensorFlow, which only TensorFlow can run",
    "TFSMLayer": "runs a TensorFlow SavedModel",
    "TorchModuleWrapper": "holds a pickled PyTorch module",
    "JaxLayer": "holds a JAX function",
    "FlaxLayer": "holds a Flax module",
}
# These read tables from files that the configuration names, or are no part of a network on pictures.
_TEXT = {"StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing", "FeatureSpace"}
_MODELS = {"Functional", "Model", "Sequential"}
_POLICIES = {"Policy", "DTypePolicy", "FloatDTypePolicy"}
# Markers of the serialiser, and shapes.
_MARKS = {"__keras_tensor__", "__tuple__", "__numpy__", "__tensor__", "__ellipsis__", "__slice__", "TensorShape"}
# Operations that take functions.
_FUNCTIONAL = {
    "AssociativeScan",
    "Cond",
    "ForiLoop",
    "Map",
    "Scan",
    "Switch",
    "VectorizedMap",
    "WhileLoop",
    "CustomGradient",
}
_ACTIVATIONS = set(vars(keras.activations)) - {"deserialize", "get", "serialize"}
_MODULE = re.compile(r"(keras|tensorflow\.keras|tensorflow\.python\.keras)(\.\w+)*|builtins")
_REMEDY = (
    "--architecture FILE.py:function --trust builds the network from your own code and takes the weights from the file"
)


def operations() -> dict[str, type[Any]]:
    """Keras's own operations (`keras.ops`) that a functional model may be made of, by name."""
    found: dict[str, type[Any]] = {}
    waiting = list(keras.Operation.__subclasses__())
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith("keras.src.ops.") and kind.__name__ not in _FUNCTIONAL:
            found[kind.__name__] = kind
            waiting += kind.__subclasses__()
    return found


def check(config: Any, *, trust: bool) -> None:
    """Raise `ModelError`, naming the layer, unless everything that `config` names is known to be harmless.

    With `trust`, Lambda layers pass; classes that are not Keras's own do not, since the file does not hold them.
    """
    known = _known()
    for part in _parts(config):
        kind, name = part["class_name"], _name_of(part)
        if trust and kind in ("Lambda", "__lambda__", "function"):
            continue
        if kind in _CODE:
            remedy = "--trust runs it, or " if kind == "Lambda" else ""
            raise ModelError(f"the layer {name!r} ({kind}) {_CODE[kind]}: {remedy}{_REMEDY}")
        if kind == "function":
            if part.get("config") not in _ACTIVATIONS:
                raise ModelError(f"the model uses the function {part.get('config')!r}, which is not Keras's: {_REMEDY}")
        elif kind in _TEXT:
            raise ModelError(f"the layer {name!r} ({kind}) is no part of a network on pictures")
        elif kind not in known:
            raise ModelError(f"the layer {name!r} is of the class {kind!r}, which is not Keras's own: {_REMEDY}")
        module = part.get("module")
        if module is not None and not _MODULE.fullmatch(str(module)):
            raise ModelError(f"the layer {name!r} names the module {module!r}, which is not Keras's: {_REMEDY}")


def _known() -> set[str]:
    spaces = (keras.layers, keras.initializers, keras.regularizers, keras.constraints)
    classes = {name for space in spaces for name in vars(space) if not name.startswith("_")}
    marked = {OPERATION + name for name in operations()} | set(operations())
    return (classes - set(_CODE) - _TEXT) | _MODELS | _POLICIES | _MARKS | marked


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str):
                yield part
            elif "class_name" in part:
                raise ModelError("the model's configuration names a class by something that is no text")
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _name_of(part: dict[str, Any]) -> str:
    inner = part.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return str(name or part.get("name") or part["class_name"])


def renew(config: dict[str, Any]) -> dict[str, Any]:
    """A legacy configuration (HDF5) as the present Keras reads it: members that Keras 3 dropped and that said nothing
    are left out, operations are told from the layers of the same name, and half precision becomes float32."""
    config = copy.deepcopy(config)
    known = operations()
    for part in list(_parts(config)):
        inner = part.get("config")
        if not isinstance(inner, dict):
            continue
        kind = part["class_name"]
        if kind in known and "inbound_nodes" in part and "trainable" not in inner:
            part["class_name"] = OPERATION + kind
        if kind in ("DepthwiseConv2D", "Conv2DTranspose", "SeparableConv2D") and inner.get("groups") == 1:
            del inner["groups"]
        if inner.get("time_major") is False:
            del inner["time_major"]
        axis = inner.get("axis")
        if kind.endswith("BatchNormalization") and isinstance(axis, list) and len(axis) == 1:
            inner["axis"] = axis[0]
    as_float32(config)
    return config


def as_float32(config: Any) -> None:
    """Change, in place, the policies of half precision in a configuration to float32: weights are kept in float32
    anyway, and processors compute in it."""
    for part in list(_parts(config)):
        inner = part.get("config")
        if not isinstance(inner, dict):
            continue
        if part["class_name"] in _POLICIES and inner.get("name") in ("mixed_float16", "mixed_bfloat16", "float16"):
            inner["name"] = "float32"
        if inner.get("dtype") in ("mixed_float16", "mixed_bfloat16", "float16"):
            inner["dtype"] = "float32"


def scales_pixels(config: Any) -> bool:
    """Whether the network itself has a layer that scales or normalises its input (`Rescaling`, `Normalization`)."""
    return any(part["class_name"] in ("Rescaling", "Normalization") for part in _parts(config))
