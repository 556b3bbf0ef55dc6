"""Objects in S3, read and written with this process's own AWS credentials."""

from __future__ import annotations

import threading
from typing import Any

from sightline.errors import ImageTooLarge, NotFound, SourceFailed, Unavailable

_ABSENT = {"NoSuchKey", "NoSuchBucket", "404"}


class Objects:
    """S3 as botocore finds it: region, credentials and `AWS_ENDPOINT_URL_S3` from the environment. Safe to share
    between threads; connects when first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Any = None

    def get(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """An object's bytes. Raises `ImageTooLarge`, `NotFound` for an object that is not there, and `SourceFailed`."""
        import botocore.exceptions

        try:
            reply = self._client().get_object(Bucket=bucket, Key=key)
            with reply["Body"] as body:
                if reply["ContentLength"] > max_bytes:
                    size = reply["ContentLength"]
                    raise ImageTooLarge(f"the object has {size:,} bytes; at most {max_bytes:,} are accepted")
                return bytes(body.read(max_bytes))
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if _code(error) in _ABSENT:
                raise NotFound(f"there is no object {key!r} in the bucket {bucket!r}") from None
            raise SourceFailed(f"the object cannot be read from S3: {error}") from None

    def put(self, bucket: str, key: str, content: bytes, media_type: str) -> None:
        """Write an object. Raises `Unavailable`."""
        import botocore.exceptions

        try:
            self._client().put_object(Bucket=bucket, Key=key, Body=content, ContentType=media_type)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise Unavailable(f"the answer cannot be written to S3: {error}") from None

    def _client(self) -> Any:
        with self._lock:
            if self._opened is None:
                # Imported here: few processes ever read from S3, and this takes half a second.
                from botocore.config import Config
                from botocore.session import get_session

                config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
                self._opened = get_session().create_client("s3", config=config)
            return self._opened


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
