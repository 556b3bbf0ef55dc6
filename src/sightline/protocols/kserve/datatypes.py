"""The datatypes of the protocol, and elements of type BYTES as they lie in a binary tensor."""

from __future__ import annotations

import numpy as np

from sightline.errors import InvalidRequest

BYTES = "BYTES"

DTYPES: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Every datatype but BYTES. Tensors are little-endian on the wire."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_PREFIX = 4


def datatype_of(dtype: np.dtype[np.generic]) -> str:
    """The protocol's name of a NumPy dtype. Raises `KeyError` for one that it has none for."""
    return _NAMES[dtype.newbyteorder("<")]


def join_elements(elements: tuple[bytes, ...]) -> bytes:
    """Elements as a binary tensor: each behind its length, four bytes, little-endian."""
    return b"".join(part for element in elements for part in (len(element).to_bytes(_PREFIX, "little"), element))


def split_elements(content: memoryview, count: int, name: str) -> tuple[bytes, ...]:
    """The `count` elements of a binary tensor. A length is believed only as far as there are bytes: nothing is
    allocated by what it says. Raises `InvalidRequest` naming the tensor."""
    elements: list[bytes] = []
    at = 0
    while at < len(content):
        if len(elements) == count:
            raise InvalidRequest(f"{name} has more elements than the {count} of its shape")
        start = at + _PREFIX
        if start > len(content):
            raise InvalidRequest(f"{name} ends within the length of its element {len(elements)}")
        length = int.from_bytes(content[at:start], "little")
        at = start + length
        if at > len(content):
            left = len(content) - start
            raise InvalidRequest(f"element {len(elements)} of {name} is said to have {length} bytes; {left} are left")
        elements.append(bytes(content[start:at]))
    if len(elements) != count:
        raise InvalidRequest(f"{name} has {len(elements)} elements; its shape says {count}")
    return tuple(elements)
