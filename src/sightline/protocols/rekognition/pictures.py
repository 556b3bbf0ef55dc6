"""The pictures of a request: bytes in it, or an object in S3."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sightline.errors import ImageTooLarge
from sightline.images.decode import decode, sniff
from sightline.images.picture import Picture
from sightline.protocols.rekognition.faults import Fault, invalid
from sightline.protocols.rekognition.validate import Members
from sightline.settings import Settings

SMALLEST = 80
"""Pixels that each side of a picture has at least."""
S3_BYTES = 15 * 1024 * 1024
_FORMATS = ("JPEG", "PNG")
# As much as the face detector looks at; a larger JPEG is decoded at a half or less.
_ENOUGH = 2000


_reading: ContextVar[list[float] | None] = ContextVar("reading", default=None)


@contextmanager
def timed_reading() -> Iterator[list[float]]:
    """A list that the seconds of each picture which this thread reads meanwhile are added to."""
    seconds: list[float] = []
    token = _reading.set(seconds)
    try:
        yield seconds
    finally:
        _reading.reset(token)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A decoded picture and the id of its bytes: the same bytes have the same id."""

    picture: Picture
    image_id: str


class PictureReader:
    """Reads `Image` members. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = _Bucket(settings)

    def read(self, image: Members, name: str = "Image") -> Loaded:
        """The picture of an `Image` member. Raises `Fault` and `ImageTooLarge`."""
        begun = time.perf_counter()
        if ("Bytes" in image) == ("S3Object" in image):
            raise invalid(f"{name} has either Bytes or an S3Object")
        data = image["Bytes"] if "Bytes" in image else self._bucket.get(image["S3Object"])
        if sniff(data) not in _FORMATS:
            raise Fault("InvalidImageFormatException", "Request has invalid image format: it is neither JPEG nor PNG")
        most = min(S3_BYTES, self._settings.max_bytes)
        picture = decode(data, max_bytes=most, max_pixels=self._settings.max_pixels, enough=_ENOUGH)
        if min(picture.width, picture.height) < SMALLEST:
            size = f"{picture.width} x {picture.height}"
            raise invalid(f"{name} is {size} pixels; each side has to have at least {SMALLEST}")
        loaded = Loaded(picture, str(uuid.UUID(bytes=hashlib.sha256(data).digest()[:16])))
        seconds = _reading.get()
        if seconds is not None:
            seconds.append(time.perf_counter() - begun)
        return loaded


class _Bucket:
    """Objects of the one S3 that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._endpoint, self._timeout = settings.s3_endpoint, settings.fetch_timeout
        self._lock = threading.Lock()
        self._client: Any = None

    def get(self, place: Members) -> bytes:
        """The object's bytes. Raises `Fault` (InvalidS3ObjectException) and `ImageTooLarge`."""
        if self._endpoint is None:
            raise _refused("this server reads no S3 objects: send Bytes, or set SIGHTLINE_S3_ENDPOINT")
        if "Bucket" not in place or "Name" not in place:
            raise _refused("an S3Object has a Bucket and a Name")
        try:
            import botocore.exceptions
        except ImportError:
            raise _refused("this server reads no S3 objects: it lacks boto3 (pip install 'sightline[aws]')") from None
        which = {"Bucket": place["Bucket"], "Key": place["Name"]}
        if "Version" in place:
            which["VersionId"] = place["Version"]
        try:
            reply = self._open().get_object(**which)
            with reply["Body"] as body:
                if reply["ContentLength"] > S3_BYTES:
                    raise ImageTooLarge(f"the object has {reply['ContentLength']:,} bytes; at most {S3_BYTES:,} are")
                return bytes(body.read(S3_BYTES))
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            # What S3 itself said stays inside: the caller may not be one who should see this server's place there.
            code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
            raise _refused(
                f"Unable to get object from S3 ({code}). Check object key, region and/or access permissions."
            ) from None

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                import boto3
                from botocore.config import Config

                # One try and no waiting for a second: the caller waits, and holds one of this server's workers.
                config = Config(connect_timeout=5, read_timeout=self._timeout, retries={"total_max_attempts": 1})
                endpoint = None if self._endpoint == "aws" else self._endpoint
                self._client = boto3.client("s3", endpoint_url=endpoint, config=config)
            return self._client


def _refused(message: str) -> Fault:
    return Fault("InvalidS3ObjectException", message)
