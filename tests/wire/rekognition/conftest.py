"""A real server, and boto3 in front of it: every reply that boto3 parses is held to the shape of its operation."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

KEY, SECRET, REGION = "wire-tests", "a secret / with + signs", "eu-central-1"


@pytest.fixture(scope="session")
def rekognition_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the server's collections are."""
    return f"sqlite:{tmp_path_factory.mktemp('store') / 'faces.db'}"


@pytest.fixture(scope="session")
def rekognition_url(start_server: Callable[..., Any], rekognition_store: str) -> str:
    """The address of a server that knows one key; its store is a file of its own."""
    server = start_server(
        SIGHTLINE_AWS_ACCESS_KEY_ID=KEY,
        SIGHTLINE_AWS_SECRET_ACCESS_KEY=SECRET,
        SIGHTLINE_COLLECTIONS=rekognition_store,
        SIGHTLINE_MAX_QUEUE="256",
    )
    return str(server.url)


@pytest.fixture(scope="session")
def connect() -> Callable[..., Any]:
    """Makes boto3 clients whose every reply is checked against the service model."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    from botocore.config import Config

    from tests.fakes.shapes import problems

    def check(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        assert http_response.headers["x-amzn-RequestId"], model.name
        assert http_response.headers["content-type"] == "application/x-amz-json-1.1"
        if http_response.status_code == 200:
            assert problems(model.output_shape, parsed) == [], model.name
        else:
            told = parsed["Error"]["Code"]
            # A permanent error is never one that clients try again.
            passing = told == "ThrottlingException"
            assert http_response.status_code == (500 if passing else 400), (model.name, parsed)
            assert told in {shape.name for shape in model.error_shapes}, (model.name, told)

    def make(url: str, key: str = KEY, secret: str = SECRET, region: str = REGION, **config: Any) -> Any:
        client = boto3.client(
            "rekognition",
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(connect_timeout=10, read_timeout=120, **config),
        )
        client.meta.events.register("after-call.rekognition", check)
        return client

    return make


@pytest.fixture(scope="session")
def rekognition(connect: Callable[..., Any], rekognition_url: str) -> Any:
    """A boto3 client with the server's key."""
    return connect(rekognition_url)


@pytest.fixture
def code() -> Callable[..., str]:
    """Calls a client's method, which has to fail; the name of the error, asked for once and not again."""
    from botocore.exceptions import ClientError

    def call(method: Callable[..., Any], **arguments: Any) -> str:
        with pytest.raises(ClientError) as caught:
            method(**arguments)
        response = caught.value.response
        assert response["ResponseMetadata"]["RetryAttempts"] == 0
        assert response["Error"]["Message"]
        return str(response["Error"]["Code"])

    return call


_names = (f"collection-{number}" for number in itertools.count())


@pytest.fixture
def collection(rekognition: Any) -> Iterator[str]:
    """An empty collection, removed afterwards."""
    name = next(_names)
    rekognition.create_collection(CollectionId=name)
    yield name
    with contextlib.suppress(rekognition.exceptions.ResourceNotFoundException):
        rekognition.delete_collection(CollectionId=name)


@pytest.fixture(scope="session")
def encoded() -> Callable[..., dict[str, bytes]]:
    """An array as an `Image` member, JPEG unless said otherwise."""

    def encode(pixels: np.ndarray, format: str = "JPEG", **options: Any) -> dict[str, bytes]:
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format, **({"quality": 95} | options))
        return {"Bytes": buffer.getvalue()}

    return encode


@pytest.fixture(scope="session")
def astronaut(portrait: np.ndarray, encoded: Callable[..., dict[str, bytes]]) -> dict[str, bytes]:
    """A real photo of one person, as an `Image` member."""
    return encoded(portrait)


@pytest.fixture(scope="session")
def face_crop(portrait: np.ndarray) -> np.ndarray:
    """The same person's face alone, 160 x 160 x 3."""
    return portrait[20:180, 145:305]


@pytest.fixture(scope="session")
def nobody(no_people_jpeg: Path) -> dict[str, bytes]:
    """A real photo without people, as an `Image` member."""
    return {"Bytes": no_people_jpeg.read_bytes()}


@pytest.fixture(scope="session")
def photo(shared: Path) -> Callable[[str], dict[str, bytes]]:
    """A photo of the research data by its name, as an `Image` member."""

    def read(name: str) -> dict[str, bytes]:
        return {"Bytes": (shared / "photos" / name).read_bytes()}

    return read
