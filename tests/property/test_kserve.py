"""What holds for every body of the Open Inference Protocol: it is read as it was written, or refused."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from starlette.testclient import TestClient

from sightline.errors import InvalidRequest
from sightline.protocols.app import create_app
from sightline.protocols.kserve.datatypes import DTYPES
from sightline.protocols.kserve.reading import read_infer
from sightline.protocols.kserve.tensors import Tensor
from sightline.protocols.kserve.writing import write_infer
from sightline.serving.runtime import Runtime
from sightline.settings import Settings

NUMBERS = sorted(DTYPES)
LENGTH = "Inference-Header-Content-Length"

shapes = arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)
elements = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


@st.composite
def tensors(draw: st.DrawFn, name: str) -> Tensor:
    if draw(st.booleans()):
        content = tuple(draw(elements))
        return Tensor(name, "BYTES", (len(content),), content)
    datatype = draw(st.sampled_from(NUMBERS))
    return Tensor(name, datatype, shape := draw(shapes), draw(arrays.arrays(DTYPES[datatype], shape)))


def packed(tensor: Tensor) -> bytes:
    """A binary tensor, written with struct alone."""
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(one)) + one for one in tensor.data)
    return np.asarray(tensor.data).astype(DTYPES[tensor.datatype]).tobytes()


def described(tensor: Tensor, **parameters: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape), "parameters": parameters}


def binary_body(given: list[Tensor], **members: Any) -> tuple[bytes, int]:
    parts = [packed(tensor) for tensor in given]
    head = {"inputs": [described(t, binary_data_size=len(p)) for t, p in zip(given, parts, strict=True)], **members}
    text = json.dumps(head).encode()
    return text + b"".join(parts), len(text)


def same(one: Tensor, other: Tensor) -> bool:
    facts = (one.name, one.datatype, one.shape) == (other.name, other.datatype, other.shape)
    if isinstance(one.data, tuple) or isinstance(other.data, tuple):
        return facts and one.data == other.data
    return facts and one.data.dtype == other.data.dtype and one.data.tobytes() == other.data.tobytes()


@given(
    st.lists(st.integers(0, 9), max_size=4, unique=True).flatmap(lambda n: st.tuples(*(tensors(f"t{i}") for i in n)))
)
def test_binary_tensors_are_read_as_they_were_written(sent: tuple[Tensor, ...]) -> None:
    got = read_infer(*binary_body(list(sent), id="7", parameters={"binary_data_output": True, "x": 1})).inputs
    assert len(got) == len(sent)
    assert all(same(one, other) for one, other in zip(got, sent, strict=True))


@given(tensors("t"), st.integers(0, 3))
def test_numbers_lie_where_engines_want_them(sent: Tensor, spaces: int) -> None:
    body, length = binary_body([sent])
    (got,) = read_infer(b" " * spaces + body, length + spaces).inputs
    if isinstance(got.data, np.ndarray):
        assert got.data.flags.aligned
        assert got.data.flags.c_contiguous


@given(tensors("t"), st.booleans())
def test_json_tensors_are_read_as_they_were_written(sent: Tensor, nested: bool) -> None:
    if isinstance(sent.data, tuple):
        sent = Tensor(sent.name, "BYTES", sent.shape, tuple(base64.b64encode(one).decode() for one in sent.data))
        data: Any = list(sent.data)
    else:
        finite = np.nan_to_num(sent.data, nan=1.0, posinf=1.0, neginf=1.0)
        sent = Tensor(sent.name, sent.datatype, sent.shape, finite)
        data = finite.tolist() if nested else finite.reshape(-1).tolist()
    body = json.dumps({"inputs": [{**described(sent), "data": data}]}).encode()
    (got,) = read_infer(body, None).inputs
    assert same(got, sent)


@given(tensors("t"), st.booleans())
def test_replies_are_what_a_client_reads(sent: Tensor, binary: bool) -> None:
    if isinstance(sent.data, np.ndarray) and not binary and sent.data.dtype.kind == "f":
        sent = Tensor(sent.name, sent.datatype, sent.shape, np.nan_to_num(sent.data, nan=0.0, posinf=1.0, neginf=0.0))
    reply = write_infer("m", "1", "an id", [(sent, binary)])
    members = json.loads(reply.body[: reply.json_length])
    assert (members["model_name"], members["model_version"], members["id"]) == ("m", "1", "an id")
    (out,) = members["outputs"]
    assert (out["name"], out["datatype"], out["shape"]) == (sent.name, sent.datatype, list(sent.shape))
    if binary:
        assert reply.body[reply.json_length :] == packed(sent)
        assert out["parameters"] == {"binary_data_size": len(packed(sent))}
    elif isinstance(sent.data, tuple):
        assert [base64.b64decode(text) for text in out["data"]] == list(sent.data)
    else:
        assert np.array(out["data"], sent.data.dtype).tobytes() == sent.data.tobytes()


# --- what is hostile --------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(NUMBERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
sizes = st.integers(-2, 70) | st.sampled_from([2**31 - 1, 2**32, 2**62, 2**63, 10**30]) | anything
hostile_tensor = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["image", "input", "\ud800", "a\nb"]) | anything,
        "datatype": st.sampled_from([*NUMBERS, "BYTES", "BF16"]) | anything,
        "shape": st.lists(sizes, max_size=5) | anything,
        "data": st.lists(anything, max_size=6) | anything,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": sizes, "content_type": anything})
        | anything,
    },
)
hostile = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "inputs": st.lists(hostile_tensor, max_size=4) | anything,
        "outputs": st.lists(st.fixed_dictionaries({"name": anything, "parameters": anything}), max_size=3) | anything,
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_output", "confidence", "timeout", "priority", "sequence_id", "x"]), anything
        )
        | anything,
    },
)
lengths = st.none() | st.integers(0, 400) | st.sampled_from([2**31, 2**63, 10**15])


def refused_or_read(body: bytes, length: int | None) -> None:
    """Reads, or raises the one error; and takes little memory for a little body, whatever it claims."""
    refusal = ""
    tracemalloc.start()
    try:
        read_infer(body, length)
    except InvalidRequest as error:
        refusal = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(refusal.splitlines()) <= 1
    assert peak < 64 * len(body) + 200_000


@given(hostile, st.binary(max_size=64), st.none() | st.integers(-3, 3))
@settings(max_examples=300)
def test_hostile_json_is_refused(members: dict[str, Any], rest: bytes, shift: int | None) -> None:
    text = json.dumps(members).encode()
    refused_or_read(text + rest, None if shift is None else max(0, len(text) + shift))


@given(st.binary(max_size=200), lengths)
def test_any_bytes_are_refused(body: bytes, length: int | None) -> None:
    refused_or_read(body, length)


@given(st.data(), tensors("a"), tensors("b"))
@settings(max_examples=200)
def test_damaged_requests_are_refused(data: st.DataObject, first: Tensor, second: Tensor) -> None:
    body, length = binary_body([first, second])
    cut = body[: data.draw(st.integers(0, len(body)))]
    if len(cut) < len(body):
        with pytest.raises(InvalidRequest):
            read_infer(cut, length)
    with pytest.raises(InvalidRequest):
        read_infer(body + b"\0", length)
    damaged = bytearray(body)
    damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    refused_or_read(bytes(damaged), length)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5), st.binary(max_size=30), st.integers(1, 2**40))
def test_lengths_of_elements_are_not_believed(claimed: list[int], rest: bytes, count: int) -> None:
    content = b"".join(struct.pack("<I", length) for length in claimed) + rest
    text = json.dumps(
        {
            "inputs": [
                {"name": "a", "datatype": "BYTES", "shape": [count], "parameters": {"binary_data_size": len(content)}}
            ]
        }
    ).encode()
    refused_or_read(text + content, len(text))


@given(st.binary(max_size=20), st.integers(1, 2**32 - 21), tensors("b"))
def test_an_element_ends_within_its_tensor(content: bytes, more: int, behind: Tensor) -> None:
    """There are bytes behind it, of the next tensor: they are not its own."""
    parts = [struct.pack("<I", len(content) + more) + content, packed(behind)]
    first = {"name": "a", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(parts[0])}}
    head = {"inputs": [first, described(behind, binary_data_size=len(parts[1]))]}
    text = json.dumps(head).encode()
    with pytest.raises(InvalidRequest, match=f"is said to have {len(content) + more} bytes; {len(content)} are left"):
        read_infer(text + b"".join(parts), len(text))


@given(tensors("a"), st.integers(1, 2**40))
def test_a_tensor_ends_within_the_body(sent: Tensor, more: int) -> None:
    content = packed(sent)
    head = {"inputs": [described(sent, binary_data_size=len(content) + more)]}
    text = json.dumps(head).encode()
    with pytest.raises(InvalidRequest, match=f"binary_data_size .* {len(content)} bytes are left"):
        read_infer(text + content, len(text))


@given(st.integers(65, 300), st.integers(0, 3))
def test_a_request_has_a_bound_of_elements(count: int, length: int) -> None:
    body, size = binary_body([Tensor("a", "BYTES", (count,), (b"x" * length,) * count)])
    with pytest.raises(InvalidRequest, match="more than the 64"):
        read_infer(body, size)


@pytest.mark.parametrize("depth", [20, 2_000, 200_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    data = "[" * depth + "1" + "]" * depth
    body = '{"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": ' + data + "}]}"
    with pytest.raises(InvalidRequest):
        read_infer(body.encode(), None)


@pytest.mark.parametrize(
    ("datatype", "shape", "data"),
    [
        ("UINT8", [1], [256]),
        ("INT64", [1], [2**63]),
        ("INT32", [1], [1.5]),
        ("INT32", [1], [True]),
        ("BOOL", [1], [1]),
        ("FP64", [1], [10**400]),
        ("FP32", [1], ["1"]),
        ("FP32", [2], [1]),
        ("FP32", [1], [1, 2]),
        ("FP32", [0], []),
        ("FP32", [], [1]),
        ("FP32", [2**62, 2**62], [1]),
        ("BYTES", [1], [1]),
        ("BYTES", [65], ["a"] * 65),
    ],
)
def test_data_that_does_not_fit_is_refused(datatype: str, shape: list[int], data: list[Any]) -> None:
    body = json.dumps({"inputs": [{"name": "a", "datatype": datatype, "shape": shape, "data": data}]}).encode()
    with pytest.raises(InvalidRequest):
        read_infer(body, None)


# --- over HTTP: never a 500 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> TestClient:
    """The application with the one task and model that are shipped whole."""
    runtime = Runtime(Settings(max_concurrency=1, offline=True))
    runtime.start(("lungs",))
    return TestClient(create_app(runtime))


@given(
    st.sampled_from(["lungs", "lungs-bcdunet"]),
    hostile,
    st.binary(max_size=64),
    st.none() | st.integers(-3, 3) | st.sampled_from(["x", "-1", "9" * 30, "²"]),
)
@settings(max_examples=100)
def test_hostile_requests_get_a_4xx(
    client: TestClient, model: str, members: dict[str, Any], rest: bytes, shift: int | str | None
) -> None:
    text = json.dumps(members).encode()
    length = shift if isinstance(shift, str) else None if shift is None else str(max(0, len(text) + shift))
    headers = {} if length is None else {LENGTH: length.encode("latin-1")}
    reply = client.post(f"/v2/models/{model}/infer", content=text + rest, headers=headers)
    assert 400 <= reply.status_code < 500, reply.text
    assert set(reply.json()) == {"error"}
    assert isinstance(reply.json()["error"], str)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_picture_get_a_4xx(client: TestClient, content: bytes) -> None:
    body, length = binary_body([Tensor("image", "BYTES", (1,), (content,))])
    reply = client.post("/v2/models/lungs/infer", content=body, headers={LENGTH: str(length)})
    assert 400 <= reply.status_code < 500, reply.text


@given(arrays.arrays(np.float32, st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple)))
@settings(max_examples=30)
def test_shapes_that_the_engine_does_not_take_get_a_400(client: TestClient, array: np.ndarray) -> None:
    body, length = binary_body([Tensor("input", "FP32", array.shape, array)])
    reply = client.post("/v2/models/lungs-bcdunet/infer", content=body, headers={LENGTH: str(length)})
    assert reply.status_code == 400
    assert "shape" in reply.json()["error"]
