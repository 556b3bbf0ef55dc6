"""The events that Lambda hands over, as what they are: an HTTP request (three wrappings), objects in S3, a question.

The shapes are those of the Lambda developer guide: API Gateway HTTP API (payload 2.0, function URLs too) and REST API
(payload 1.0), Application Load Balancer, S3 event notifications.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, unquote_plus

from sightline.errors import InvalidRequest

Event = Mapping[str, Any]
Kind = Literal["http", "rest", "alb", "s3", "direct"]

REPLY_BYTES: dict[Kind, int] = {"http": 6_291_556, "rest": 6_291_556, "alb": 1_048_576, "direct": 6_291_556}
"""The most bytes of JSON that a reply may have: Lambda's own limit, and the smaller one of a load balancer."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. Names of headers are in lower case; `path` starts with a slash and has no stage before it."""

    kind: Kind
    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes


def kind_of(event: Event) -> Kind:
    """What an event is; whatever is none of AWS's own is a question asked directly."""
    context = _table(event.get("requestContext"))
    if "http" in context:
        return "http"
    if "elb" in context:
        return "alb"
    if "httpMethod" in event:
        return "rest"
    if "Records" in event or event.get("Event") == "s3:TestEvent":
        return "s3"
    return "direct"


def read_request(event: Event, kind: Kind) -> Request:
    """The HTTP request of an event of the kind `http`, `rest` or `alb`. Raises `InvalidRequest`."""
    context = _table(event.get("requestContext"))
    headers, query = _pairs(event, "headers", "multiValueHeaders"), {}
    if kind == "http":
        http = _table(context.get("http"))
        method, path = http.get("method"), event.get("rawPath", http.get("path"))
    else:
        method, path = event.get("httpMethod"), event.get("path")
    query = _pairs(event, "queryStringParameters", "multiValueQueryStringParameters")
    if not isinstance(method, str) or not isinstance(path, str):
        raise InvalidRequest("the event names no method or no path")
    if kind == "alb":  # a load balancer hands both over as they came
        path = unquote(path)
        query = {unquote_plus(name): unquote_plus(value) for name, value in query.items()}
    return Request(
        kind,
        method.upper(),
        _without_stage(path, context.get("stage")) if kind == "http" else path or "/",
        {name.lower(): value for name, value in headers.items()},
        query,
        _body(event),
    )


def _without_stage(path: str, stage: Any) -> str:
    """HTTP APIs put a stage that has a name before the path."""
    if isinstance(stage, str) and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
        path = path[len(stage) + 1 :]
    return path or "/"


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise InvalidRequest("the body of the event is not text")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("the body of the event is said to be base64 and is not") from None


def _pairs(event: Event, name: str, many: str) -> dict[str, str]:
    """Names and values; of several values for a name the last."""
    found = {str(key): value for key, value in _table(event.get(name)).items() if isinstance(value, str)}
    for key, values in _table(event.get(many)).items():
        if isinstance(values, list) and values and isinstance(values[-1], str):
            found.setdefault(str(key), values[-1])
    return found


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
