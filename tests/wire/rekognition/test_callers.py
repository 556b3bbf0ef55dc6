"""Who may call: signatures in every wrong form against a real server, and what each key permits."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

from tests.wire.rekognition.conftest import KEY, REGION, SECRET

pytestmark = pytest.mark.models

BODY = b"{}"
Change = Callable[[dict[str, str]], Any]


def sign(
    url: str,
    *,
    key: str = KEY,
    secret: str = SECRET,
    region: str = REGION,
    service: str = "rekognition",
    termination: str = "aws4_request",
    age: float = 0,
    unsigned: tuple[str, ...] = (),
    more: dict[str, str] | None = None,
    day: str | None = None,
) -> dict[str, str]:
    """The headers of a ListCollections request signed `age` seconds ago; those named `unsigned` are left out of the
    signature. Written out here after AWS's description, so that it shares nothing with the server or with botocore."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    headers = {
        "host": url.removeprefix("http://"),
        "content-type": "application/x-amz-json-1.1",
        "x-amz-date": stamp,
        "x-amz-target": "RekognitionService.ListCollections",
        **(more or {}),
    }
    signed = sorted(name for name in headers if name not in unsigned)
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed)
    names, payload = ";".join(signed), hashlib.sha256(BODY).hexdigest()
    scope = f"{day or stamp[:8]}/{region}/{service}/{termination}"
    request = hashlib.sha256(f"POST\n/\n\n{lines}\n{names}\n{payload}".encode()).hexdigest()
    derived = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        derived = hmac.new(derived, part.encode(), "sha256").digest()
    signature = hmac.new(derived, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}".encode(), "sha256").hexdigest()
    credential = f"Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


@pytest.fixture(scope="module")
def post(rekognition_url: str) -> Iterator[Callable[..., httpx.Response]]:
    """Sends headers and a body as they are."""
    with httpx.Client(base_url=rekognition_url) as client:

        def send(headers: dict[str, str], body: bytes = BODY, path: str = "/") -> httpx.Response:
            return client.post(path, content=body, headers=headers)

        yield send


def refused(response: httpx.Response, error: str, words: str = "") -> None:
    assert (response.status_code, response.json()["__type"]) == (400, error), response.text
    assert words in response.json()["message"]
    assert response.headers["x-amzn-requestid"]


def test_a_good_signature(post: Callable[..., httpx.Response], rekognition_url: str) -> None:
    for options in ({}, {"age": 290}, {"age": -290}, {"region": "mars-north-1"}, {"unsigned": ("content-type",)}):
        assert post(sign(rekognition_url, **options)).status_code == 200
    hashed = {"x-amz-content-sha256": hashlib.sha256(BODY).hexdigest()}
    assert post(sign(rekognition_url, more=hashed)).status_code == 200
    spaced = sign(rekognition_url, more={"x-amz-meta": "a b"}) | {"x-amz-meta": "a    b"}
    assert post(spaced).status_code == 200


def test_the_date_header_alone(post: Callable[..., httpx.Response], rekognition_url: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    stamp = f"{now:%a, %d %b %Y %H:%M:%S GMT}"
    headers = sign(rekognition_url, more={"date": stamp})
    assert post(headers).status_code == 200
    del headers["x-amz-date"]
    refused(post(headers), "IncompleteSignatureException", "'x-amz-date' is named as a SignedHeader")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"key": "somebody-else"}, "UnrecognizedClientException", "security token"),
        ({"more": {"x-amz-security-token": "session"}}, "UnrecognizedClientException", "security token"),
        ({"secret": "another"}, "InvalidSignatureException", "does not match the signature you provided"),
        ({"age": 310}, "InvalidSignatureException", "Signature expired"),
        ({"age": -310}, "InvalidSignatureException", "Signature not yet current"),
        ({"day": "20200101"}, "InvalidSignatureException", "Date in Credential scope"),
        ({"service": "s3"}, "InvalidSignatureException", "correct service: 'rekognition'"),
        ({"region": "Mars!"}, "InvalidSignatureException", "valid region"),
        ({"termination": "aws5_request"}, "InvalidSignatureException", "terminator"),
        ({"key": "with/slash"}, "IncompleteSignatureException", "5 slash-delimited"),
        ({"unsigned": ("host",)}, "InvalidSignatureException", "'host' must be a 'SignedHeader'"),
        ({"unsigned": ("x-amz-target",)}, "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader'"),
        ({"unsigned": ("x-amz-date",)}, "InvalidSignatureException", "'x-amz-date' must be a 'SignedHeader'"),
        ({"more": {"x-amz-content-sha256": "0" * 64}}, "InvalidSignatureException", "x-amz-content-sha256"),
        ({"more": {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}, "InvalidSignatureException", "x-amz-content-sha256"),
    ],
)
def test_signatures_of_something_else(
    post: Callable[..., httpx.Response], rekognition_url: str, options: dict[str, Any], error: str, words: str
) -> None:
    refused(post(sign(rekognition_url, **options)), error, words)


def test_a_signature_for_another_body_target_or_query(
    post: Callable[..., httpx.Response], rekognition_url: str
) -> None:
    headers = sign(rekognition_url)
    assert post(headers).status_code == 200
    refused(post(headers, b'{"MaxResults": 1}'), "InvalidSignatureException")
    refused(post(headers | {"x-amz-target": "RekognitionService.ListUsers"}), "InvalidSignatureException")
    refused(post(headers, path="/?Action=other"), "InvalidSignatureException")
    refused(post(headers | {"content-type": "application/x-amz-json-1.0"}), "InvalidSignatureException")


AUTHORIZATION = "authorization"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda headers: headers.pop(AUTHORIZATION), "MissingAuthenticationTokenException", ""),
        (lambda headers: headers.update(authorization="Bearer abc"), "MissingAuthenticationTokenException", ""),
        (lambda headers: headers.update(authorization="AWS key:sig"), "MissingAuthenticationTokenException", ""),
        (lambda headers: headers.update(authorization="AWS4-HMAC-SHA256"), "IncompleteSignatureException", "equal"),
        (
            lambda headers: headers.update(authorization="AWS4-HMAC-SHA256 Credential=a"),
            "IncompleteSignatureException",
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            lambda headers: headers.update(authorization=headers[AUTHORIZATION].replace("HMAC", "ECDSA-P256")),
            "IncompleteSignatureException",
            "AWS4-HMAC-SHA256",
        ),
        (
            lambda headers: headers.update(authorization=headers[AUTHORIZATION][:-1]),
            "InvalidSignatureException",
            "does not match",
        ),
        (
            lambda headers: headers.update(
                authorization=headers[AUTHORIZATION].replace("Signature=", "Signature=\xe9")
            ),
            "InvalidSignatureException",
            "does not match",
        ),
        (
            lambda headers: headers.update(authorization=headers[AUTHORIZATION].replace("host;", "host;x-gone;")),
            "IncompleteSignatureException",
            "'x-gone' is named as a SignedHeader, but it does not exist",
        ),
        (lambda headers: headers.update({"x-amz-date": "2026-01-01"}), "IncompleteSignatureException", "ISO-8601"),
        (
            lambda headers: headers.update({"x-amz-date": "20261399T000000Z"}),
            "IncompleteSignatureException",
            "ISO-8601",
        ),
        (lambda headers: headers.pop("x-amz-date"), "IncompleteSignatureException", "existence of either"),
    ],
)
def test_authorizations_that_are_no_signature(
    post: Callable[..., httpx.Response], rekognition_url: str, change: Change, error: str, words: str
) -> None:
    headers = sign(rekognition_url)
    change(headers)
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    refused(post(encoded), error, words)


def test_what_is_not_this_protocol_is_answered_natively(post: Callable[..., httpx.Response]) -> None:
    response = post({"content-type": "application/json"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.fixture(scope="module")
def keyed(start_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a server with a file of keys."""
    folder = tmp_path_factory.mktemp("keys")
    keys = folder / "keys.toml"
    keys.write_text(
        """
        [[keys]]
        access_key_id = "all"
        secret_access_key = "secret of all"

        [[keys]]
        access_key_id = "reader"
        secret_access_key = "secret of reader"
        read_only = true

        [[keys]]
        access_key_id = "doors"
        secret_access_key = "secret of doors"
        collections = ["door-*"]
        """
    )
    store = f"sqlite:{folder / 'faces.db'}"
    # One worker and nobody waiting, for `test_too_many_at_once_are_told_to_come_again`.
    limits = {"SIGHTLINE_MAX_CONCURRENCY": "1", "SIGHTLINE_MAX_QUEUE": "0"}
    return str(start_server(SIGHTLINE_AWS_KEYS_FILE=str(keys), SIGHTLINE_COLLECTIONS=store, **limits).url)


def test_each_key_may_do_what_its_table_says(
    connect: Callable[..., Any], keyed: str, astronaut: dict[str, bytes], code: Callable[..., str]
) -> None:
    everything, reader, doors = (connect(keyed, name, f"secret of {name}") for name in ("all", "reader", "doors"))
    front = everything.create_collection(CollectionId="door-front")["CollectionArn"]
    vault = everything.create_collection(CollectionId="vault")["CollectionArn"]
    denied = "AccessDeniedException"

    assert reader.list_collections()["CollectionIds"] == ["door-front", "vault"]
    assert reader.describe_collection(CollectionId="vault")["FaceCount"] == 0
    assert reader.search_faces_by_image(CollectionId="vault", Image=astronaut)["FaceMatches"] == []
    assert len(reader.detect_faces(Image=astronaut)["FaceDetails"]) == 1
    assert code(reader.create_collection, CollectionId="mine") == denied
    assert code(reader.index_faces, CollectionId="vault", Image=astronaut) == denied
    assert code(reader.delete_collection, CollectionId="vault") == denied
    assert code(reader.create_user, CollectionId="vault", UserId="me") == denied
    assert code(reader.tag_resource, ResourceArn=vault, Tags={"a": "b"}) == denied

    assert doors.list_collections()["CollectionIds"] == ["door-front"]
    assert len(doors.index_faces(CollectionId="door-front", Image=astronaut)["FaceRecords"]) == 1
    doors.tag_resource(ResourceArn=front, Tags={"a": "b"})
    assert len(doors.detect_faces(Image=astronaut)["FaceDetails"]) == 1
    assert code(doors.index_faces, CollectionId="vault", Image=astronaut) == denied
    assert code(doors.describe_collection, CollectionId="vault") == denied
    # Whether a collection is there is not told either.
    assert code(doors.describe_collection, CollectionId="never") == denied
    assert code(doors.create_collection, CollectionId="other") == denied
    assert code(doors.list_tags_for_resource, ResourceArn=vault) == denied


def test_a_name_belongs_to_the_region_that_was_signed_for(connect: Callable[..., Any], keyed: str) -> None:
    client = connect(keyed, "all", "secret of all", "ap-southeast-2")
    made = client.create_collection(CollectionId="regional")
    assert made["CollectionArn"] == "arn:aws:rekognition:ap-southeast-2:000000000000:collection/regional"
    client.delete_collection(CollectionId="regional")


def test_too_many_at_once_are_told_to_come_again(
    keyed: str, astronaut: dict[str, bytes], connect: Callable[..., Any]
) -> None:
    """The one error that is worth another try is coded so that clients try again, and in the end all are answered."""
    retries = {"max_attempts": 10, "mode": "standard"}
    client = connect(keyed, "all", "secret of all", retries=retries, max_pool_connections=8)

    def detect(_: int) -> tuple[int, int]:
        reply = client.detect_faces(Image=astronaut)
        return len(reply["FaceDetails"]), reply["ResponseMetadata"]["RetryAttempts"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(detect, range(8)))
    assert [faces for faces, _ in answers] == [1] * 8
    assert any(retries for _, retries in answers)


def test_a_store_that_cannot_be_opened_ends_the_start(command: Callable[..., Any], tmp_path: Path) -> None:
    for store, status in (("mysql://there", 2), (f"sqlite:{tmp_path}", 1)):
        ended = command("serve", "--port", "0", "faces", SIGHTLINE_COLLECTIONS=store)
        assert ended.returncode == status
        assert "Traceback" not in ended.stderr


def test_a_key_file_that_cannot_be_read_ends_the_start(command: Callable[..., Any], tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("[[keys]]\naccess_key_id = 'a'\n")
    ended = command("serve", "--port", "0", "faces", SIGHTLINE_AWS_KEYS_FILE=str(keys))
    assert ended.returncode == 2
    assert "keys.toml" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
