"""Pictures put into a bucket: read, answered for, and the answer written beside them where the function is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote_plus

from sightline.errors import SightlineError, Unavailable
from sightline.serving.errors import body


class ObjectStore(Protocol):
    """Where pictures are read and answers written (`sightline.protocols.objects.Objects`)."""

    def get(self, bucket: str, key: str, max_bytes: int) -> bytes: ...

    def put(self, bucket: str, key: str, content: bytes, media_type: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Results:
    """Where answers go: `SIGHTLINE_RESULT_BUCKET` and `SIGHTLINE_RESULT_PREFIX`. The prefix alone means the picture's
    own bucket; neither, that nothing is written."""

    bucket: str | None
    prefix: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Results:
        return cls(environ.get("SIGHTLINE_RESULT_BUCKET") or None, environ.get("SIGHTLINE_RESULT_PREFIX") or None)

    def place(self, bucket: str, key: str, task: str) -> tuple[str, str] | None:
        """The bucket and key of the answer for a picture, None where none is to be written."""
        if self.bucket is None and self.prefix is None:
            return None
        return self.bucket or bucket, f"{self.prefix or ''}{key}.{task}.json"


def answer_records(
    event: Mapping[str, Any],
    task: str,
    answer: Callable[[bytes], dict[str, Any]],
    *,
    store: ObjectStore,
    results: Results,
    max_bytes: int,
    request_id: str,
) -> dict[str, Any]:
    """The answers of `answer` for every picture that an S3 event names, in their order.

    A picture that cannot be answered for has an `error` in place of an `answer`: S3 would only send it again. Raises
    `Unavailable` at the end where something passing stood in the way, so that Lambda does try again.
    """
    found, passing = [], None
    records = event.get("Records")
    for record in records if isinstance(records, list) else []:
        place = _place(record)
        if place is None or place[1].endswith(f".{task}.json"):
            continue  # a deletion, another service's event, or an answer of our own
        bucket, key = place
        one: dict[str, Any] = {"bucket": bucket, "key": key}
        try:
            one["answer"] = answer(store.get(bucket, key, max_bytes))
            target = results.place(bucket, key, task)
            if target is not None:
                content = json.dumps(one["answer"], separators=(",", ":")).encode()
                store.put(*target, content, "application/json")
                one["result"] = {"bucket": target[0], "key": target[1]}
        except Unavailable as error:
            passing = error
        except SightlineError as error:
            one["error"] = body(error.code, str(error), request_id)["error"]
        found.append(one)
    if passing is not None:
        raise passing
    return {"records": found}


def _place(record: Any) -> tuple[str, str] | None:
    """The bucket and key of a record that says an object was made."""
    try:
        if not record.get("eventName", "ObjectCreated:").startswith("ObjectCreated:"):
            return None
        bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
        return str(bucket), unquote_plus(key)  # S3 writes keys into events as forms are
    except (KeyError, TypeError, AttributeError):
        return None
