"""From the bytes of an inference request to tensors: JSON, with binary tensors behind it where it says so.

Open Inference Protocol, "inference request JSON object", and its extension `binary_tensor_data`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidRequest
from sightline.protocols.kserve.datatypes import BYTES, DTYPES, split_elements
from sightline.protocols.kserve.tensors import MOST_ITEMS, InferRequest, Tensor, Wanted

_MOST_TENSORS = 64
_MOST_DIMENSIONS = 16
_MOST_ID = 1000
# What stands for an element in JSON, by the kind of its NumPy dtype.
_JSON_KINDS: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "i": {int}, "u": {int}}


def read_infer(body: bytes, json_length: int | None) -> InferRequest:
    """An inference request. `json_length` is `Inference-Header-Content-Length`: how many bytes of the body are JSON;
    None: all of them. What is made of it takes memory in proportion to the body. Raises `InvalidRequest`.
    """
    if json_length is not None and json_length > len(body):
        raise InvalidRequest(f"Inference-Header-Content-Length is {json_length}; the body has {len(body)} bytes in all")
    content = memoryview(body)
    members = _object(_parse(content[:json_length]), "the request")
    rest = None if json_length is None else content[json_length:]
    inputs, used = [], 0
    for given in _list(members.get("inputs"), "inputs"):
        tensor, size = _read_tensor(_object(given, "an input"), rest, used)
        used += size
        inputs.append(tensor)
    if rest is not None and used != len(rest):
        raise InvalidRequest(f"{len(rest) - used} bytes behind the JSON belong to no input")
    _refuse_twice([tensor.name for tensor in inputs], "input")
    parameters = _object(members.get("parameters") or {}, "parameters")
    binary = _flag(parameters.pop("binary_data_output", False), "binary_data_output")
    outputs = tuple(_read_wanted(given, binary) for given in _list(members.get("outputs") or [], "outputs"))
    _refuse_twice([wanted.name for wanted in outputs], "output")
    return InferRequest(tuple(inputs), outputs, _read_id(members.get("id")), parameters, binary)


def _parse(content: memoryview) -> Any:
    try:
        return json.loads(bytes(content))
    except (ValueError, RecursionError):
        raise InvalidRequest("the request is not JSON, or Inference-Header-Content-Length does not fit") from None


def _read_tensor(members: dict[str, Any], rest: memoryview | None, used: int) -> tuple[Tensor, int]:
    """The tensor, and how many of the bytes behind the JSON are its own."""
    name, datatype = members.get("name"), members.get("datatype")
    if not isinstance(name, str) or not name:
        raise InvalidRequest("an input has a name")
    shown = repr(name[:60])
    if not isinstance(datatype, str) or datatype not in (BYTES, *DTYPES):
        raise InvalidRequest(f"the datatype of {shown} is one of {', '.join((BYTES, *DTYPES))}")
    shape = _read_shape(members.get("shape"), shown)
    parameters = _object(members.get("parameters") or {}, f"the parameters of {shown}")
    if any(key.startswith("shared_memory") for key in parameters):
        raise InvalidRequest("tensors in shared memory are not offered")
    size = parameters.get("binary_data_size")
    if size is None:
        return Tensor(name, datatype, shape, _from_json(members.get("data"), datatype, shape, shown)), 0
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidRequest(f"binary_data_size of {shown} is a whole number of bytes")
    if "data" in members:
        raise InvalidRequest(f"{shown} has data in JSON and binary_data_size")
    if rest is None:
        raise InvalidRequest(f"{shown} is a binary tensor; Inference-Header-Content-Length says where these begin")
    if size > len(rest) - used:
        raise InvalidRequest(f"binary_data_size of {shown} is {size}; {len(rest) - used} bytes are left")
    return Tensor(name, datatype, shape, _from_bytes(rest[used : used + size], datatype, shape, shown)), size


def _read_shape(shape: Any, name: str) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, list) else []
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if not sizes or not whole or len(sizes) > _MOST_DIMENSIONS:
        raise InvalidRequest(f"the shape of {name} is a list of 1 to {_MOST_DIMENSIONS} whole numbers above 0")
    return tuple(sizes)


def _from_bytes(
    content: memoryview, datatype: str, shape: tuple[int, ...], name: str
) -> npt.NDArray[Any] | tuple[bytes, ...]:
    count = math.prod(shape)
    if datatype == BYTES:
        _check_count(count, name)
        return split_elements(content, count, name)
    dtype = DTYPES[datatype]
    if len(content) != count * dtype.itemsize:
        raise InvalidRequest(f"{name} has {len(content)} bytes; its shape and datatype need {_short(count, dtype)}")
    if datatype == "BOOL":
        return np.frombuffer(content, np.uint8).astype(np.bool_).reshape(shape)
    # The JSON before it may end anywhere: engines want numbers at addresses that their size divides.
    return np.require(np.frombuffer(content, dtype), requirements="A").reshape(shape)


def _from_json(data: Any, datatype: str, shape: tuple[int, ...], name: str) -> npt.NDArray[Any] | tuple[str, ...]:
    if not isinstance(data, list):
        raise InvalidRequest(f"{name} has neither data, a list, nor binary_data_size")
    count = math.prod(shape)
    if datatype == BYTES:
        _check_count(count, name)
    values: list[Any] = []
    for value in _flat(data, name, _MOST_DIMENSIONS):
        if len(values) == count:
            raise InvalidRequest(f"{name} has more elements than its shape says")
        values.append(value)
    if len(values) != count:
        raise InvalidRequest(f"{name} has {len(values)} elements; its shape says more")
    kinds = {type(value) for value in values}
    if datatype == BYTES:
        if kinds != {str}:
            raise InvalidRequest(f"the elements of {name} are text: BYTES in JSON")
        return tuple(values)
    dtype = DTYPES[datatype]
    if not kinds <= _JSON_KINDS[dtype.kind]:
        raise InvalidRequest(f"an element of {name} is no {datatype}")
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype).reshape(shape)
    except OverflowError:
        raise InvalidRequest(f"an element of {name} is too large for {datatype}") from None


def _flat(values: list[Any], name: str, depth: int) -> Iterator[Any]:
    """The elements of lists within lists, row-major."""
    if depth == 0:
        raise InvalidRequest(f"the data of {name} is nested too deeply")
    for value in values:
        if isinstance(value, list):
            yield from _flat(value, name, depth - 1)
        else:
            yield value


def _read_wanted(given: Any, binary: bool) -> Wanted:
    members = _object(given, "an output")
    name = members.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequest("an output has a name")
    parameters = _object(members.get("parameters") or {}, f"the parameters of {name[:60]!r}")
    if "classification" in parameters:
        raise InvalidRequest("the classification extension is not offered")
    if any(key.startswith("shared_memory") for key in parameters):
        raise InvalidRequest("tensors in shared memory are not offered")
    return Wanted(name, _flag(parameters.get("binary_data", binary), "binary_data"))


def _read_id(given: Any) -> str | None:
    if given is not None and (not isinstance(given, str) or len(given) > _MOST_ID):
        raise InvalidRequest(f"id is text of at most {_MOST_ID} characters")
    return given or None


def _check_count(count: int, name: str) -> None:
    if count > MOST_ITEMS:
        raise InvalidRequest(f"{name} has more than the {MOST_ITEMS} elements that one request may carry")


def _short(count: int, dtype: np.dtype[np.generic]) -> str:
    return str(count * dtype.itemsize) if count < 2**60 else "more than there can be"


def _refuse_twice(names: list[str], what: str) -> None:
    if len(set(names)) != len(names):
        raise InvalidRequest(f"the same {what} is named twice")


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} is true or false")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} is not a JSON object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_TENSORS:
        raise InvalidRequest(f"{what} is a list of at most {_MOST_TENSORS} tensors")
    return value
