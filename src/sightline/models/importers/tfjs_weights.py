"""The weights of TensorFlow.js: tensors one after another in one or more files, described by a manifest in JSON.

Floats may be kept in fewer bits (the manifest's `quantization`): as halves, or as bytes or 16-bit numbers with
value = number * scale + min.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError

Tensors = dict[str, npt.NDArray[Any]]

_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "?"}
_CODES = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}


def read(manifest: Sequence[Mapping[str, Any]], files: Mapping[str, Path], source: str) -> Tensors:
    """Every tensor of a manifest by name, in its own shape: those stored by scale and minimum as float64, halves as
    float32, others in their own dtype. `files` are those that the manifest's paths name; `source` names the manifest.

    Raises `ModelError` where manifest and files do not fit each other.
    """
    tensors: Tensors = {}
    try:
        for group in manifest:
            data = b"".join(files[name].read_bytes() for name in group["paths"])
            offset = 0
            for entry in group["weights"]:
                tensors[entry["name"]], offset = _tensor(entry, data, offset)
            if offset != len(data):
                raise ModelError(f"the manifest describes {offset} bytes of weights; there are {len(data)}")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"{source} does not describe these weights: {error!r}") from None
    return tensors


def _tensor(entry: Mapping[str, Any], data: bytes, offset: int) -> tuple[npt.NDArray[Any], int]:
    coded = entry.get("quantization", {})
    dtype = np.dtype(_CODES[coded["dtype"]] if coded else _DTYPES[entry["dtype"]])
    count = math.prod(entry["shape"])
    values = np.frombuffer(data, dtype, count, offset)
    if "scale" in coded:
        values = values.astype(np.float64) * coded["scale"] + coded["min"]
    elif dtype.itemsize == 2:
        values = values.astype(np.float32)
    return values.reshape(entry["shape"]), offset + count * dtype.itemsize
