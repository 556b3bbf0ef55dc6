"""Whom a server without AWS keys lets in: in process, from addresses that a test cannot call from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.collections.base import Calibration, EmbeddingModel
from sightline.collections.open import open_store
from sightline.errors import InvalidOption
from sightline.models.store import Store
from sightline.protocols.app import create_app
from sightline.serving.runtime import Runtime
from sightline.settings import Settings

pytest.importorskip("botocore", reason="botocore is not installed")

SIGNED = "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/rekognition/aws4_request, SignedHeaders=host, Signature=0"
Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks a server with these settings for its collections, from an address, by a name for the server."""

    def from_(
        client: str,
        host: str = "127.0.0.1:8000",
        authorization: str | None = None,
        operation: str = "ListCollections",
        body: bytes = b"{}",
        **options: Any,
    ) -> Any:
        settings = Settings(
            cache=tmp_path, offline=True, max_concurrency=1, collections=f"sqlite:{tmp_path / 'faces.db'}", **options
        )
        app = create_app(Runtime(settings, store=Store(settings, pull=False)))
        headers = {"X-Amz-Target": f"RekognitionService.{operation}", "Host": host}
        if authorization is not None:
            headers["Authorization"] = authorization
        return TestClient(app, client=(client, 50000)).post("/", content=body, headers=headers)

    return from_


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("127.0.0.1", "localhost:8000"),
        ("127.8.8.8", "localhost"),
        ("::1", "[::1]:8000"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_this_machine_is_let_in(ask: Ask, client: str, host: str) -> None:
    for authorization in (None, SIGNED, "nonsense"):
        response = ask(client, host, authorization)
        assert (response.status_code, response.json()) == (200, {"CollectionIds": [], "FaceModelVersions": []})


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("192.168.1.5", "127.0.0.1:8000"),
        ("203.0.113.7", "localhost"),
        ("2001:db8::1", "[::1]:8000"),
        # A page of another site whose name was made to mean this machine.
        ("127.0.0.1", "evil.example:8000"),
        ("127.0.0.1", "localhost.evil.example"),
        ("127.0.0.1", "[::1"),
        ("127.0.0.1", ""),
    ],
)
def test_others_are_not(ask: Ask, client: str, host: str) -> None:
    plain, signed = ask(client, host), ask(client, host, SIGNED)
    assert (plain.status_code, plain.json()["__type"]) == (400, "MissingAuthenticationTokenException")
    assert (signed.status_code, signed.json()["__type"]) == (400, "UnrecognizedClientException")
    assert "SIGHTLINE_AWS_ANONYMOUS" in plain.json()["message"]


def test_names_are_of_the_region_that_was_signed_for(tmp_path: Path, ask: Ask) -> None:
    store = open_store(f"sqlite:{tmp_path / 'faces.db'}")
    store.collections.create("there", EmbeddingModel("m", "1", "0" * 64, 4), Calibration(0.5, 10.0, "a test"))
    store.close()
    for authorization, region in ((SIGNED, "eu-west-1"), (None, "us-east-1"), ("nonsense", "us-east-1")):
        reply = ask(
            "127.0.0.1", authorization=authorization, operation="DescribeCollection", body=b'{"CollectionId":"there"}'
        )
        assert reply.json()["CollectionARN"] == f"arn:aws:rekognition:{region}:000000000000:collection/there"


def test_others_are_let_in_where_the_settings_say_so(ask: Ask) -> None:
    assert ask("203.0.113.7", "sightline.example", aws_anonymous=True).status_code == 200


def test_a_key_of_the_native_api_closes_this_door_too(ask: Ask) -> None:
    assert ask("127.0.0.1", api_key="native").json()["__type"] == "MissingAuthenticationTokenException"


def test_keys_close_it_for_this_machine_as_well(ask: Ask) -> None:
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    assert ask("127.0.0.1", **keys).json()["__type"] == "MissingAuthenticationTokenException"
    assert ask("127.0.0.1", authorization=SIGNED, **keys).json()["__type"] == "IncompleteSignatureException"


def test_an_unknown_key_is_told_from_a_wrong_one(ask: Ask) -> None:
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
    signed = SIGNED.replace("SignedHeaders=host", "SignedHeaders=host;date")
    assert "Date" in ask("127.0.0.1", authorization=signed, **keys).json()["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"aws_access_key_id": "id"},
        {"aws_secret_access_key": "secret"},
        {"s3_endpoint": "ftp://bucket"},
        {"s3_endpoint": "bucket"},
        {"aws_anonymous": True, "aws_keys_file": Path("keys.toml")},
        {"aws_anonymous": True, "aws_access_key_id": "id", "aws_secret_access_key": "secret"},
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        Settings(**options)
