"""What a picture may be: its size, its format, and where it comes from."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

pytestmark = pytest.mark.models

LIMIT = 5_242_880
S3_LIMIT = 15 * 1024 * 1024
OPERATIONS = ["detect_faces", "compare_faces", "index_faces", "search_faces_by_image", "search_users_by_image"]


def ask(client: Any, operation: str, image: dict[str, Any], collection: str, other: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an operation on one picture."""
    if operation == "compare_faces":
        return {"SourceImage": other, "TargetImage": image}
    return {"Image": image} | ({} if operation == "detect_faces" else {"CollectionId": collection})


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("image", "error"),
    [
        ({"Bytes": b"\xff\xd8\xff" + b"x" * (LIMIT - 2)}, "ImageTooLargeException"),
        ({"Bytes": b"x" * 6_000_000}, "ImageTooLargeException"),
        ({"Bytes": b"x" * LIMIT}, "InvalidImageFormatException"),
        ({"Bytes": b"\xff\xd8\xff" + b"x" * 100}, "InvalidImageFormatException"),
        ({"Bytes": b""}, "InvalidParameterException"),
        ({}, "InvalidParameterException"),
        ({"Bytes": b"x", "S3Object": {"Bucket": "bucket", "Name": "key"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "bucket", "Name": "key"}}, "InvalidS3ObjectException"),
    ],
    ids=["one byte more", "6 MB", "just as large, no picture", "torn", "no bytes", "empty", "both", "no S3 here"],
)
def test_wrong_pictures(
    rekognition: Any,
    collection: str,
    astronaut: dict[str, bytes],
    code: Callable[..., str],
    operation: str,
    image: dict[str, Any],
    error: str,
) -> None:
    arguments = ask(rekognition, operation, image, collection, astronaut)
    assert code(getattr(rekognition, operation), **arguments) == error


@pytest.mark.parametrize("format", ["GIF", "BMP", "WEBP", "TIFF"])
def test_other_formats(
    rekognition: Any, portrait: np.ndarray, encoded: Callable[..., Any], code: Callable[..., str], format: str
) -> None:
    image = encoded(portrait, format)
    assert code(rekognition.detect_faces, Image=image) == "InvalidImageFormatException"


def test_a_photo_cut_short(rekognition: Any, astronaut: dict[str, bytes], code: Callable[..., str]) -> None:
    torn = {"Bytes": astronaut["Bytes"][: len(astronaut["Bytes"]) // 2]}
    assert code(rekognition.detect_faces, Image=torn) == "InvalidImageFormatException"


@pytest.mark.parametrize("size", [(79, 400), (400, 79), (1, 1)])
def test_too_few_pixels(
    rekognition: Any, encoded: Callable[..., Any], code: Callable[..., str], size: tuple[int, int]
) -> None:
    small = encoded(np.zeros((*size, 3), np.uint8), "PNG")
    assert code(rekognition.detect_faces, Image=small) == "InvalidParameterException"


def test_just_enough_pixels(rekognition: Any, encoded: Callable[..., Any]) -> None:
    assert rekognition.detect_faces(Image=encoded(np.zeros((80, 80, 3), np.uint8), "PNG"))["FaceDetails"] == []


def test_far_too_many_pixels(rekognition: Any, declared_huge: bytes, code: Callable[..., str]) -> None:
    assert code(rekognition.detect_faces, Image={"Bytes": declared_huge}) == "ImageTooLargeException"


class Bucket(http.server.BaseHTTPRequestHandler):
    """A little of S3: GET of an object by its path."""

    objects: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        version = dict(pair.partition("=")[::2] for pair in query.split("&")).get("versionId", "")
        found = self.objects.get(f"{path}{version}")
        if "AWS4-HMAC-SHA256" not in self.headers.get("authorization", ""):
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif found is None:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self.answer(200, found)

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def bucket(astronaut: dict[str, bytes], nobody: dict[str, bytes]) -> Iterator[str]:
    """The address of an S3 with one bucket."""
    photo = astronaut["Bytes"]
    objects = {
        "/photos/astronaut.jpg": photo,
        "/photos/astronaut.jpgv1": nobody["Bytes"],
        "/photos/padded.jpg": photo + b"\0" * (6_000_000 - len(photo)),
        "/photos/huge.jpg": photo + b"\0" * (S3_LIMIT + 1 - len(photo)),
        "/photos/text.jpg": b"no picture",
    }
    handler = type("Handler", (Bucket,), {"objects": objects})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def with_s3(start_server: Callable[..., Any], connect: Callable[..., Any], bucket: str) -> Any:
    """A client of a server without keys, on its own machine, that reads objects from `bucket`."""
    environment = {"SIGHTLINE_S3_ENDPOINT": bucket, "AWS_ACCESS_KEY_ID": "s3", "AWS_SECRET_ACCESS_KEY": "secret"}
    return connect(start_server("faces", **environment).url, "anybody", "anything")


def test_objects_of_s3(with_s3: Any) -> None:
    def faces(**place: str) -> int:
        return len(with_s3.detect_faces(Image={"S3Object": {"Bucket": "photos", **place}})["FaceDetails"])

    assert faces(Name="astronaut.jpg") == 1
    assert faces(Name="astronaut.jpg", Version="v1") == 0
    # Larger than bytes in a request may be.
    assert faces(Name="padded.jpg") == 1


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ({"Bucket": "photos", "Name": "other.jpg"}, "InvalidS3ObjectException"),
        ({"Bucket": "elsewhere", "Name": "astronaut.jpg"}, "InvalidS3ObjectException"),
        ({"Bucket": "photos", "Name": "astronaut.jpg", "Version": "v2"}, "InvalidS3ObjectException"),
        ({"Bucket": "photos"}, "InvalidS3ObjectException"),
        ({"Name": "astronaut.jpg"}, "InvalidS3ObjectException"),
        ({"Bucket": "photos", "Name": "huge.jpg"}, "ImageTooLargeException"),
        ({"Bucket": "photos", "Name": "text.jpg"}, "InvalidImageFormatException"),
    ],
)
def test_objects_that_cannot_be_had(with_s3: Any, code: Callable[..., str], place: dict[str, str], error: str) -> None:
    assert code(with_s3.detect_faces, Image={"S3Object": place}) == error


def test_what_a_server_was_not_asked_to_serve_is_not_tried_again(
    with_s3: Any, astronaut: dict[str, bytes], code: Callable[..., str]
) -> None:
    """This server serves `faces` alone."""
    assert code(with_s3.compare_faces, SourceImage=astronaut, TargetImage=astronaut) == "AccessDeniedException"
    assert code(with_s3.create_collection, CollectionId="none") == "AccessDeniedException"
