"""From tensors to the bytes of an inference reply."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import InvalidOption
from sightline.protocols.kserve.datatypes import DTYPES, join_elements
from sightline.protocols.kserve.tensors import Tensor


@dataclass(frozen=True, slots=True)
class InferReply:
    """A reply's body. `json_length` is `Inference-Header-Content-Length`; None where all of the body is JSON."""

    body: bytes
    json_length: int | None


def write_infer(model: str, version: str, id: str | None, outputs: Sequence[tuple[Tensor, bool]]) -> InferReply:
    """The reply that carries these outputs, each as a binary tensor where its flag says so.

    Raises `InvalidOption` for numbers that JSON has no word for (NaN, infinity), where they were asked for in JSON.
    """
    described, parts = [], []
    for tensor, binary in outputs:
        members: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
        }
        if binary:
            parts.append(_bytes(tensor))
            members["parameters"] = {"binary_data_size": len(parts[-1])}
        elif not isinstance(tensor.data, np.ndarray) and any(isinstance(element, bytes) for element in tensor.data):
            members["parameters"] = {"content_type": "base64"}
            members["data"] = [base64.b64encode(element).decode() for element in tensor.elements]
        else:
            members["data"] = list(tensor.elements)
        described.append(members)
    head = {"model_name": model, "model_version": version} | ({"id": id} if id is not None else {})
    try:
        written = json.dumps({**head, "outputs": described}, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise InvalidOption("the outputs hold numbers that JSON has no word for; ask for them as binary") from None
    if not parts:
        return InferReply(written, None)
    return InferReply(b"".join((written, *parts)), len(written))


def _bytes(tensor: Tensor) -> bytes:
    if isinstance(tensor.data, np.ndarray):
        return np.ascontiguousarray(tensor.data, DTYPES[tensor.datatype]).tobytes()
    return join_elements(tuple(element.encode() if isinstance(element, str) else element for element in tensor.data))
