"""Write an event of each source around a picture of your own: python make_events.py PICTURE [FOLDER]

HTTP API (`event.json`), REST API, Application Load Balancer, S3, and a direct call.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

BOUNDARY = "sightline-boundary"
HOST = "abcdefghij.execute-api.eu-central-1.amazonaws.com"


def events(picture: bytes, name: str = "photo.jpg") -> dict[str, dict[str, Any]]:
    """File name and content of each event."""
    encoded = base64.b64encode(picture).decode()
    return {
        "event.json": _http_api(encoded),
        "rest.json": _rest_api(picture, name),
        "alb.json": _load_balancer(encoded),
        "s3.json": _bucket(name),
        "direct.json": {"image": encoded, "confidence": 0.5},
    }


def _http_api(encoded: str) -> dict[str, Any]:
    """The bytes of the picture as the body."""
    return {
        "version": "2.0",
        "routeKey": "POST /predict",
        "rawPath": "/predict",
        "rawQueryString": "",
        "headers": {"accept": "application/json", "content-type": "image/jpeg", "host": HOST},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": HOST,
            "http": {
                "method": "POST",
                "path": "/predict",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /predict",
            "stage": "$default",
            "timeEpoch": 1767225600000,
        },
        "body": encoded,
        "isBase64Encoded": True,
    }


def _rest_api(picture: bytes, name: str) -> dict[str, Any]:
    """A form with the picture as its file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return {
        "resource": "/{proxy+}",
        "path": "/v1/emotion",
        "httpMethod": "POST",
        "headers": {"Accept": "application/json", "Content-Type": kind, "Host": HOST},
        "multiValueHeaders": {"Accept": ["application/json"], "Content-Type": [kind], "Host": [HOST]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": "v1/emotion"},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "httpMethod": "POST",
            "path": "/prod/v1/emotion",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def _load_balancer(encoded: str) -> dict[str, Any]:
    """JSON as the native protocol has it."""
    group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/sightline/49e9d65c45c6791a"
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": "POST",
        "path": "/v1/emotion",
        "queryStringParameters": {},
        "headers": {"accept": "application/json", "content-type": "application/json", "host": "sightline.example.com"},
        "body": json.dumps({"image": {"bytes": encoded}}),
        "isBase64Encoded": False,
    }


def _bucket(name: str) -> dict[str, Any]:
    """A picture put into a bucket; it has to be there."""
    bucket = {"name": "my-photos", "arn": "arn:aws:s3:::my-photos"}
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "eu-central-1",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {"s3SchemaVersion": "1.0", "bucket": bucket, "object": {"key": f"in/{name}", "size": 1024}},
            }
        ]
    }


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    picture = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent / "events"
    folder.mkdir(parents=True, exist_ok=True)
    for name, event in events(picture.read_bytes(), picture.name).items():
        (folder / name).write_text(json.dumps(event, indent=1) + "\n")


if __name__ == "__main__":
    main()
