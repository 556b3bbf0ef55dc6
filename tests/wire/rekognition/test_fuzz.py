"""Every operation's input, broken in every way that the service model forbids: always an error that the operation
declares, never one that clients try again. The cases come from the model, and are sent without boto3's own checks."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import Shape

from sightline.protocols.rekognition.operations import HANDLERS
from tests.fakes.shapes import MODEL

pytestmark = pytest.mark.models

EXAMPLES = {
    "CollectionId": "never-there",
    "UserId": "someone",
    "FaceId": "00000000-0000-4000-8000-000000000000",
    "ResourceArn": "arn:aws:rekognition:eu-central-1:000000000000:collection/never-there",
    "ImageBlob": base64.b64encode(b"\xff\xd8\xff no picture").decode(),
    "S3Bucket": "bucket",
}
WRONG_TYPES = {
    "structure": ["text", []],
    "list": ["text", {}],
    "map": [True, []],
    "string": [1.5, {}],
    "blob": [1, {}],
    "boolean": ["true", 1],
    "integer": ["1", 1.5, True, 2**40, 10**400],
    "long": ["1", 1.5, True, 10**400],
    "float": ["1", True, 10**400],
}
Path = tuple[str | int, ...]


def example(shape: Shape) -> Any:
    """The least value that fits the shape: required members only."""
    if shape.name in EXAMPLES:
        return EXAMPLES[shape.name]
    match shape.type_name:
        case "structure":
            names = shape.required_members or (["Bytes"] if shape.name == "Image" else [])
            return {name: example(shape.members[name]) for name in names}
        case "list":
            return [example(shape.member)]
        case "map":
            return {"key": "value"}
        case "string":
            return shape.enum[0] if shape.enum else "a" * max(1, shape.metadata.get("min", 1))
        case "boolean":
            return True
        case _:
            return max(1, shape.metadata.get("min", 1))


def cases(shape: Shape, path: Path = ()) -> Iterator[tuple[str, Path, Any]]:
    """(what is wrong, where, the wrong value) for a value of this shape and all below it."""
    for value in WRONG_TYPES[shape.type_name]:
        yield f"a {shape.type_name} that is {str(value)[:12]}", path, value
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            for name in shape.required_members:
                yield f"without {name}", (*path, name), None
            for name, member in shape.members.items():
                yield from cases(member, (*path, name))
        case "list":
            yield "with null", path, [None]
            if "max" in limits:
                yield "too long", path, [example(shape.member)] * (limits["max"] + 1)
            if limits.get("min", 0) > 0:
                yield "too short", path, []
            yield from cases(shape.member, (*path, 0))
        case "map":
            yield "with null", path, {"key": None}
            if "max" in limits:
                yield "too many", path, {f"key {number}": "" for number in range(limits["max"] + 1)}
            for what, _, value in cases(shape.value):
                yield what, path, {"key": value}
            yield "a key too long", path, {"k" * 129: "value"}
            yield "no key", path, {"": "value"}
        case "string":
            if "max" in limits:
                yield "too long", path, "a" * (limits["max"] + 1)
            if limits.get("min", 0) > 0:
                yield "too short", path, "a" * (limits["min"] - 1)
            if "pattern" in limits or shape.enum:
                yield "of another pattern", path, "#\u2603\n"
            yield "half a character", path, "\ud800"
        case "blob":
            yield "no base64", path, "no base64!"
            yield "half of base64", path, "AAA"
            yield "empty", path, ""
            yield "6 MB", path, base64.b64encode(b"x" * 6_000_000).decode()
        case "integer" | "long" | "float":
            if "min" in limits:
                yield "too low", path, limits["min"] - 1
            if "max" in limits:
                yield "too high", path, limits["max"] + 1


def put(members: Any, shape: Shape, path: Path, value: Any) -> Any:
    """`members` with `value` at `path`; None removes what is there. What lies on the way is made."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if shape.type_name == "list":
        return [put(example(shape.member), shape.member, rest, value)]
    made = copy.copy(members)
    if not rest and value is None:
        made.pop(head, None)
    else:
        member = shape.members[str(head)]
        made[head] = put(made.get(head, example(member)), member, rest, value)
    return made


@pytest.fixture(scope="module")
def send(rekognition_url: str) -> Iterator[Callable[[str, bytes], httpx.Response]]:
    """Sends a body to an operation, signed."""
    from tests.wire.rekognition.conftest import KEY, REGION, SECRET

    signer = SigV4Auth(Credentials(KEY, SECRET), "rekognition", REGION)
    with httpx.Client(base_url=rekognition_url, timeout=60) as client:

        def post(operation: str, body: bytes) -> httpx.Response:
            headers = {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"RekognitionService.{operation}",
            }
            request = AWSRequest("POST", f"{rekognition_url}/", data=body, headers=headers)
            signer.add_auth(request)
            return client.post("/", content=body, headers=dict(request.headers.items()))

        yield post


def told(response: httpx.Response) -> str:
    """The name of the error, whose reply has the form that clients read."""
    assert response.headers["content-type"] == "application/x-amz-json-1.1"
    assert response.headers["x-amzn-requestid"]
    members = response.json()
    assert set(members) == {"__type", "message"}
    assert members["message"]
    assert len(members["message"].splitlines()) == 1
    assert "Traceback" not in members["message"]
    return str(members["__type"])


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_broken_input_is_told_as_the_model_declares(send: Callable[[str, bytes], httpx.Response], name: str) -> None:
    operation = MODEL.operation_model(name)
    declared = {shape.name for shape in operation.error_shapes}
    good = example(operation.input_shape)
    seen = 0
    for what, path, value in cases(operation.input_shape):
        # The body itself has its own test.
        if path or isinstance(value, dict):
            body = json.dumps(put(good, operation.input_shape, path, value)).encode()
            response = send(name, body)
            assert response.status_code == 400, (what, path, response.text)
            error = told(response)
            if what == "6 MB" and "ImageTooLargeException" in declared:
                assert error == "ImageTooLargeException", path
            else:
                assert error in declared, (what, path, error)
                # It is the input that is wrong, and not that the collection is not there.
                assert error != "ResourceNotFoundException", (what, path, response.text)
            seen += 1
    assert seen >= 4 * len(operation.input_shape.members)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"1", b'"text"', b"\xff", b"{}" * 2, b"[" * 100_000])
@pytest.mark.parametrize("name", ["DetectFaces", "CreateCollection"])
def test_a_body_that_is_no_object(send: Callable[[str, bytes], httpx.Response], name: str, body: bytes) -> None:
    response = send(name, body)
    assert response.status_code == 400
    # No body at all is an empty object, as AWS has it.
    assert told(response) == ("SerializationException" if body else "InvalidParameterException")


# Nothing else here makes a collection, so that all of these fail alike.
@pytest.mark.parametrize("name", sorted(set(HANDLERS) - {"CreateCollection"}))
def test_members_nobody_knows_are_ignored_and_null_is_not_given(
    send: Callable[[str, bytes], httpx.Response], name: str
) -> None:
    """As AWS has it, so that newer clients can talk to older servers."""
    shape = MODEL.operation_model(name).input_shape
    optional = {member: None for member in shape.members if member not in shape.required_members}
    plain = send(name, json.dumps(example(shape)).encode())
    more = send(name, json.dumps({**optional, **example(shape), "Unheard": {"Of": [1]}}).encode())
    assert plain.status_code == more.status_code
    if name != "ListCollections":
        assert told(plain) == told(more)


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - set(HANDLERS)))
def test_what_is_not_implemented_says_so(send: Callable[[str, bytes], httpx.Response], name: str) -> None:
    response = send(name, b"{}")
    assert (response.status_code, told(response)) == (400, "AccessDeniedException")
    assert f"{name} is not implemented" in response.json()["message"]


@pytest.mark.parametrize("target", ["DetectSpoons", "detectFaces", "DetectFaces.Twice", ""])
def test_operations_that_there_are_not(send: Callable[[str, bytes], httpx.Response], target: str) -> None:
    response = send(target, b"{}")
    assert (response.status_code, told(response)) == (400, "UnknownOperationException")
