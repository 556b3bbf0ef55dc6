"""What holds for every input and every reply of Rekognition's protocol: botocore's own classes are the judge."""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

botocore_auth = pytest.importorskip("botocore.auth", reason="botocore is not installed")

import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
import botocore.parsers  # noqa: E402
from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from sightline.protocols.rekognition import sigv4  # noqa: E402
from sightline.protocols.rekognition.faults import Fault  # noqa: E402
from sightline.protocols.rekognition.model import matcher, service_model  # noqa: E402
from sightline.protocols.rekognition.serialise import ReplyError, write_output  # noqa: E402
from sightline.protocols.rekognition.validate import parse_body, parse_input  # noqa: E402
from tests.fakes.shapes import MODEL, problems, values  # noqa: E402

OPERATIONS = sorted(MODEL.operation_names)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


REFUSALS = ("MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException")


def outcome(work: Callable[[], Any]) -> tuple[Any, Fault | None]:
    """What `work` gives, or the fault it raises; any other error goes on."""
    try:
        return work(), None
    except Fault as fault:
        return None, fault


def to_json(value: Any) -> Any:
    """A value as a client writes it."""
    if isinstance(value, Mapping):
        return {name: to_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [to_json(entry) for entry in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def test_the_model_is_botocores() -> None:
    ours = service_model()
    assert set(ours.operations) == set(OPERATIONS)
    assert len(OPERATIONS) >= 75
    assert (ours.target_prefix, ours.json_version) == ("RekognitionService", "1.1")
    for name in OPERATIONS:
        theirs = MODEL.operation_model(name)
        assert set(ours.operations[name].errors) == {shape.name for shape in theirs.error_shapes}
        # What an operation that is not implemented, or an input that is wrong, is answered with.
        assert {"AccessDeniedException", "InvalidParameterException"} <= set(ours.operations[name].errors)


def test_every_pattern_of_the_model_can_be_matched() -> None:
    patterns = {shape.pattern for shape in service_model().shapes.values() if shape.pattern}
    assert len(patterns) > 20
    for pattern in patterns:
        matcher(pattern)


@given(st.characters(exclude_categories=["Cs"]))
def test_tags_take_letters_digits_and_spaces_of_any_script(character: str) -> None:
    import unicodedata

    allowed = unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"
    pattern = service_model().shapes["TagKey"].pattern
    assert pattern is not None
    assert bool(matcher(pattern).fullmatch(f"a{character}")) == allowed


def test_tags_of_aws_itself_are_refused() -> None:
    pattern = service_model().shapes["TagKey"].pattern
    assert pattern is not None
    assert matcher(pattern).fullmatch("aws-name")
    assert not matcher(pattern).fullmatch("aws:name")
    assert not matcher(pattern).fullmatch("name\n")


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
@settings(max_examples=8)
def test_what_the_model_allows_is_taken(name: str, data: st.DataObject) -> None:
    given_input = data.draw(values(MODEL.operation_model(name).input_shape))
    body = json.dumps(to_json(given_input)).encode()
    assert parse_input(service_model().operations[name], parse_body(body)) == given_input


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
@settings(max_examples=8)
def test_anything_is_taken_or_refused_with_a_declared_error(name: str, data: st.DataObject) -> None:
    members = sorted(MODEL.operation_model(name).input_shape.members)
    keys = st.sampled_from(members) | st.text(max_size=5) if members else st.text(max_size=5)
    body = json.dumps(data.draw(st.dictionaries(keys, json_values, max_size=4))).encode()
    operation = service_model().operations[name]
    parsed, fault = outcome(lambda: parse_input(operation, parse_body(body)))
    if fault is None:
        assert not problems(MODEL.operation_model(name).input_shape, parsed)
        return
    assert fault.name in {*operation.errors, "SerializationException"}
    assert fault.status == 400
    assert len(str(fault).splitlines()) == 1
    assert len(str(fault)) < 1000


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_body_is_an_object_or_refused(body: bytes) -> None:
    members, fault = outcome(lambda: parse_body(body))
    assert isinstance(members, dict) or (fault is not None and fault.name == "SerializationException")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b'{"a": NaN}', b"\xff\xfe", b"[]"])
def test_bodies_made_to_hurt(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        parse_body(body)
    assert caught.value.name == "SerializationException"


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
@settings(max_examples=8)
def test_botocore_reads_back_what_is_written(name: str, data: st.DataObject) -> None:
    shape = MODEL.operation_model(name).output_shape
    output = data.draw(values(shape))
    content = json.dumps(write_output(service_model().operations[name], output)).encode()
    reply = {"status_code": 200, "headers": {}, "body": content}
    read = botocore.parsers.JSONParser().parse(reply, shape)
    assert not problems(shape, read)
    assert without_metadata(read) == rounded(output)


def without_metadata(reply: dict[str, Any]) -> Any:
    return rounded({name: value for name, value in reply.items() if name != "ResponseMetadata"})


def rounded(value: Any) -> Any:
    """Single precision, and times to a thousandth of a second."""
    if isinstance(value, Mapping):
        return {name: rounded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-6)
    if isinstance(value, datetime.datetime):
        return pytest.approx(value.timestamp(), abs=2e-3)
    return value


@pytest.mark.parametrize(
    "output",
    [
        {"FaceDetails": [{"Hair": "red"}]},
        {"FaceDetails": {"BoundingBox": {}}},
        {"FaceDetails": [{"Confidence": 101.0}]},
        {"FaceDetails": [{"Confidence": math.nan}]},
        {"FaceDetails": [{"Confidence": True}]},
        {"FaceDetails": [{"Smile": {"Value": 1}}]},
        {"FaceDetails": [{"Emotions": [{"Type": "BORED"}]}]},
        {"FaceDetails": [{"AgeRange": {"Low": 1.5}}]},
        {"FaceDetails": [{"AgeRange": {"Low": -1}}]},
        {"FaceDetails": [None]},
    ],
)
def test_a_reply_that_does_not_fit_is_never_sent(output: dict[str, Any]) -> None:
    with pytest.raises(ReplyError):
        write_output(service_model().operations["DetectFaces"], output)


def test_a_time_without_its_zone_is_never_sent() -> None:
    with pytest.raises(ReplyError):
        write_output(
            service_model().operations["DescribeCollection"], {"CreationTimestamp": datetime.datetime(2026, 1, 1)}
        )


plain = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


def signed_request(body: bytes, secret: str, region: str, extra: dict[str, str]) -> tuple[sigv4.Headers, str]:
    """The headers of a request signed by botocore, and its Authorization."""
    request = botocore.awsrequest.AWSRequest("POST", "http://127.0.0.1:8000/", data=body, headers=extra)
    credentials = botocore.credentials.Credentials("key", secret)
    botocore_auth.SigV4Auth(credentials, "rekognition", region).add_auth(request)
    headers = [(name.lower(), value) for name, value in request.headers.items()]
    return [*headers, ("host", "127.0.0.1:8000")], request.headers["Authorization"]


@given(
    body=st.binary(max_size=300),
    secret=st.text("abcXYZ/+ é0", min_size=1, max_size=40),
    region=plain,
    values_=st.dictionaries(plain.map(lambda name: f"X-Amz-Z{name}"), st.text("ab  ,;=é", max_size=20), max_size=3),
)
def test_botocores_signatures_are_right_and_no_other(
    body: bytes, secret: str, region: str, values_: dict[str, str]
) -> None:
    extra = {"X-Amz-Target": "RekognitionService.DetectFaces", **values_}
    # Header values go over the wire as UTF-8, and are read back as Latin-1.
    headers, _ = signed_request(body, secret, region, extra)
    headers = [(name, value.encode().decode("latin-1")) for name, value in headers]
    signed = sigv4.read_authorization(headers, "rekognition")
    assert (signed.access_key_id, signed.region) == ("key", region)
    sigv4.check_time(signed, datetime.datetime.now(datetime.UTC))
    sigv4.verify(signed, secret, "POST", "/", "", headers, body)

    def refused(secret: str, method: str, path: str, query: str, headers: sigv4.Headers, body: bytes) -> bool:
        with pytest.raises(Fault) as caught:
            sigv4.verify(signed, secret, method, path, query, headers, body)
        return caught.value.name in ("InvalidSignatureException", "IncompleteSignatureException")

    assert refused(secret + "x", "POST", "/", "", headers, body)
    assert refused(secret, "PUT", "/", "", headers, body)
    assert refused(secret, "POST", "/x", "", headers, body)
    assert refused(secret, "POST", "/", "a=1", headers, body)
    assert refused(secret, "POST", "/", "", headers, body + b" ")
    for index, (name, value) in enumerate(headers):
        if name != "authorization":
            changed = [*headers[:index], (name, value + "x"), *headers[index + 1 :]]
            assert refused(secret, "POST", "/", "", changed, body)


@given(st.text(max_size=120), st.text(max_size=30))
def test_any_authorization_is_read_or_refused(authorization: str, date: str) -> None:
    assume("\n" not in authorization)
    for value in (authorization, f"AWS4-HMAC-SHA256 {authorization}"):
        headers = [("authorization", value), ("x-amz-date", date)]
        signed, fault = outcome(lambda headers=headers: sigv4.read_authorization(headers, "rekognition"))
        assert signed is not None or (fault is not None and fault.name in REFUSALS)
