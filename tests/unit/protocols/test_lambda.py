"""The Lambda handler: every event in, a reply as its sender expects it out; wrong ones told so."""

from __future__ import annotations

import base64
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import NotFound, SourceFailed, Unavailable
from sightline.protocols.lambda_ import Function
from sightline.protocols.lambda_.events import REPLY_BYTES, kind_of, read_request

LAMBDA = Path(__file__).parents[3] / "deploy" / "lambda"
EVENTS = {path.stem: json.loads(path.read_text()) for path in (LAMBDA / "events").glob("*.json")}
PICTURE = (LAMBDA / "events" / "astronaut.jpg").read_bytes()

Reply = dict[str, Any]


class Shelf:
    """Objects in memory, in place of S3."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {("my-photos", key): content for key, content in objects.items()}
        self.broken = False

    def get(self, bucket: str, key: str, max_bytes: int) -> bytes:
        if self.broken:
            raise SourceFailed("S3 does not answer")
        if (bucket, key) not in self.objects:
            raise NotFound("no such object")
        return self.objects[bucket, key]

    def put(self, bucket: str, key: str, content: bytes, media_type: str) -> None:
        assert media_type == "application/json"
        self.objects[bucket, key] = content


Made = Callable[..., Function]


@pytest.fixture
def function(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A function with what is shipped, and a network that is forbidden."""

    def made(shelf: Shelf | None = None, **environ: str) -> Function:
        offline = {"SIGHTLINE_CACHE": str(tmp_path_factory.mktemp("cache")), "SIGHTLINE_OFFLINE": "1"}
        return Function({**offline, "SIGHTLINE_MODELS": offline["SIGHTLINE_CACHE"], **environ}, shelf or Shelf())

    return made


@pytest.fixture(scope="module")
def emotion(tmp_path_factory: pytest.TempPathFactory) -> Function:
    empty = str(tmp_path_factory.mktemp("cache"))
    return Function({"SIGHTLINE_CACHE": empty, "SIGHTLINE_MODELS": empty, "SIGHTLINE_OFFLINE": "1"}, Shelf())


def http(
    body: bytes | str = b"", kind: str = "", path: str = "/predict", method: str = "POST", **more: Any
) -> dict[str, Any]:
    """An event of an HTTP API."""
    binary = isinstance(body, bytes)
    headers = {"Content-Type": kind} if kind else {}
    return {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "headers": headers | more.pop("headers", {}),
        "body": base64.b64encode(body).decode() if binary else body,
        "isBase64Encoded": binary,
        **more,
    }


def members(reply: Reply) -> dict[str, Any]:
    assert reply["headers"]["Content-Type"] == "application/json"
    assert reply["isBase64Encoded"] is False
    return dict(json.loads(reply["body"]))


def code(reply: Reply) -> tuple[int, str]:
    """The status and the code of an error, which holds to the contract of errors."""
    told = members(reply) if "body" in reply else {"error": reply["error"]}
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message", "request_id"}
    assert len(told["error"]["message"].splitlines()) == 1
    assert "Traceback" not in json.dumps(reply)
    return reply["statusCode"], told["error"]["code"]


def untimed(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "timings_ms"}


def test_every_event_gets_the_same_answer(emotion: Function) -> None:
    direct = emotion(EVENTS["direct"])
    assert [face["emotion"] for face in direct["faces"]] == ["happy"]
    for name in ("event", "rest", "alb"):
        reply = emotion(EVENTS[name])
        assert reply["statusCode"] == 200, reply
        assert untimed(members(reply)) == untimed(direct), name
    assert emotion(EVENTS["alb"])["statusDescription"] == "200 OK"


def test_the_events_are_those_the_script_writes(tmp_path: Path) -> None:
    script = [sys.executable, str(LAMBDA / "make_events.py"), str(LAMBDA / "events" / "astronaut.jpg"), str(tmp_path)]
    subprocess.run(script, check=True)
    assert {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()} == EVENTS


def test_no_web_framework_is_imported_and_nothing_that_its_image_leaves_out() -> None:
    left_out = runpy.run_path(str(LAMBDA.parent / "docker" / "needs.py"))["NOT_IN_LAMBDA"]
    assert {"fastapi", "uvicorn", "typer"} <= left_out
    script = (
        "import json, sys\n"
        "from sightline.protocols.lambda_ import handler\n"
        f"image = json.load(open({str(LAMBDA / 'events' / 'direct.json')!r}))['image']\n"
        "three = {'anchor': image, 'img1': image, 'img2': image}\n"
        "one = {'image': image}\n"
        "for task in ('emotion', 'faces', 'similarity', 'background', 'lungs'):\n"
        "    reply = handler({'task': task, **(three if task == 'similarity' else one)})\n"
        "    assert 'error' not in reply, reply\n"
        "    if task == 'emotion':\n"
        "        first = set(sys.modules)\n"
        "print(json.dumps([sorted({name.split('.')[0] for name in names}) for names in (first, sys.modules)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, later = map(set, json.loads(done.stdout))
    assert {"sightline", "cv2", "onnxruntime"} <= first
    assert first & {"starlette", "pydantic", "python_multipart", "boto3", "botocore", "torch", "asyncio"} == set()
    assert "httpx" not in later
    assert later & {name.replace("-", "_") for name in left_out} == set()


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", ""])
def test_the_bytes_of_a_picture_are_a_body(emotion: Function, kind: str) -> None:
    assert members(emotion(http(PICTURE, kind)))["faces"]
    # As base64 that the caller made, whether or not the API wraps it once more.
    encoded = base64.encodebytes(PICTURE)
    assert members(emotion(http(encoded, kind)))["faces"]
    assert members(emotion(http(encoded.decode(), kind)))["faces"]


def test_options_beside_a_bare_picture_come_in_the_query(emotion: Function) -> None:
    assert members(emotion(http(PICTURE, "image/jpeg", queryStringParameters={"confidence": "0.9999"})))["faces"] == []
    wrong = emotion(http(PICTURE, "image/jpeg", queryStringParameters={"confidence": "much"}))
    assert code(wrong) == (400, "invalid_option")
    alb = {**EVENTS["alb"], "headers": {}, "body": base64.b64encode(PICTURE).decode(), "isBase64Encoded": True}
    assert members(emotion({**alb, "queryStringParameters": {"confidence": "0%2E9999"}}))["faces"] == []


def test_the_default_task_is_chosen_by_the_environment_or_the_path(function: Made) -> None:
    faces = function(SIGHTLINE_TASK="faces")
    assert "emotion" not in members(faces(http(PICTURE, "image/jpeg")))["faces"][0]
    assert "emotion" in members(faces(http(PICTURE, "image/jpeg", "/v1/emotion")))["faces"][0]
    assert "emotion" in faces({**EVENTS["direct"], "task": "emotion"})["faces"][0]
    assert members(faces(http(path="/test", method="GET"))) == {"message": "Ok", "task": "faces"}
    assert members(faces(http(path="/", method="GET"))) == {"message": "Ok"}
    assert members(faces(http(path="/readyz", method="GET"))) == {"status": "ready", "tasks": ["faces"]}


def test_a_stage_that_has_a_name_is_no_part_of_the_path(emotion: Function) -> None:
    event = http(PICTURE, "image/jpeg", "/prod/v1/emotion")
    event["requestContext"]["stage"] = "prod"
    assert members(emotion(event))["faces"]
    event = http(path="/prod", method="GET")
    event["requestContext"]["stage"] = "prod"
    assert members(emotion(event)) == {"message": "Ok"}


def form(**files: bytes) -> tuple[bytes, str]:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in files.items()
    ]
    return b"".join(parts) + b"--b--\r\n", "multipart/form-data; boundary=b"


def test_the_names_of_earlier_clients(function: Made) -> None:
    similarity = function(SIGHTLINE_TASK="similarity")
    body, kind = form(fileAnchor=PICTURE, file1=PICTURE, file2=PICTURE)
    answer = members(similarity(http(body, kind)))
    assert answer["Result"].startswith(("Image 1", "Image 2"))
    assert answer["distance"]["img1"] == answer["distance"]["img2"]
    body, kind = form(file=PICTURE)
    drawn = similarity(http(body, kind, "/face-sentiment"))
    assert drawn["headers"]["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(drawn["body"]))) as image:
        assert (image.format, image.size) == ("PNG", (256, 256))
        assert np.asarray(image.convert("RGB")).any()


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        ({}, 400, "missing_input"),
        (None, 400, "missing_input"),
        ([1], 400, "missing_input"),
        ({"image": "no base64!"}, 400, "invalid_image"),
        ({"image": base64.b64encode(b"text").decode()}, 415, "unsupported_format"),
        ({"image": base64.b64encode(PICTURE[:2000]).decode()}, 400, "invalid_image"),
        ({"image": 5}, 400, "invalid_request"),
        ({"image": {"url": "http://example.org/x.jpg"}}, 403, "fetch_refused"),
        ({"image": {"s3": {"bucket": "secret", "key": "x"}}}, 403, "fetch_refused"),
        ({"image": EVENTS["direct"]["image"], "confidence": "0.5"}, 400, "invalid_option"),
        ({"image": EVENTS["direct"]["image"], "self": 1}, 400, "invalid_option"),
        ({"task": "nonsense"}, 404, "unknown_task"),
        ({"task": ["emotion"]}, 400, "invalid_request"),
        (http(b"", "image/jpeg"), 400, "missing_input"),
        (http(b"text", "image/jpeg"), 415, "unsupported_format"),
        (http("\ufffd\ufffd\ufffd\ufffdJFIF", "image/jpeg"), 400, "invalid_image"),
        (http(b"<xml/>", "text/xml"), 415, "unsupported_media_type"),
        (http(b"{", "application/json"), 400, "invalid_request"),
        (http(b"{}", "application/json"), 400, "missing_input"),
        (http(b"--b", "multipart/form-data"), 400, "invalid_request"),
        (http(b"nothing of it", "multipart/form-data; boundary=b"), 400, "invalid_request"),
        (http(*form(other=PICTURE)), 400, "invalid_option"),
        (http(PICTURE, "image/jpeg", "/v1/nonsense"), 404, "unknown_task"),
        (http(PICTURE, "image/jpeg", "/elsewhere"), 404, "not_found"),
        (http(path="/elsewhere", method="GET"), 404, "not_found"),
        (http(path="/predict", method="GET"), 405, "method_not_allowed"),
        (http(PICTURE, "image/jpeg", "/", "PUT"), 405, "method_not_allowed"),
        (http(PICTURE, "image/jpeg", headers={"accept": "text/html"}), 406, "not_acceptable"),
        ({**http(PICTURE), "body": "no base64!"}, 400, "invalid_request"),
        ({**http(PICTURE), "body": 7}, 400, "invalid_request"),
        ({**http(PICTURE), "rawPath": None}, 400, "invalid_request"),
        ({"requestContext": {"elb": {}}}, 400, "invalid_request"),
        ({"httpMethod": "POST", "path": "/predict", "headers": None, "body": None}, 400, "missing_input"),
    ],
)
def test_what_is_wrong_is_told_with_a_code(emotion: Function, event: Any, status: int, expected: str) -> None:
    assert code(emotion(event)) == (status, expected)


def test_an_unexpected_error_tells_no_details(emotion: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(emotion.task("emotion"), "answer", fail)
    for event in (EVENTS["event"], EVENTS["direct"]):
        reply = emotion(event)
        assert code(reply) == (500, "internal_error")
        assert "secret" not in json.dumps(reply)


def test_the_id_of_the_request_is_lambdas(emotion: Function) -> None:
    class Context:
        aws_request_id = "7c1c2a4e"

    assert emotion(http(), Context())["headers"]["X-Request-Id"] == "7c1c2a4e"
    assert members(emotion(http(), Context()))["error"]["request_id"] == "7c1c2a4e"


def test_models_that_are_not_here_are_unavailable(function: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from sightline.tasks.registry import TASKS

    only = replace(TASKS["emotion"], parts={**TASKS["emotion"].parts, "detector": (("blazeface-full",),)})
    monkeypatch.setitem(TASKS, "emotion", only)
    for path, method in (("/readyz", "GET"), ("/predict", "POST")):
        reply = function()(http(PICTURE, "image/jpeg", path, method))
        assert code(reply) == (503, "model_missing")
        assert reply["headers"]["Retry-After"] == "1"


def test_the_api_key_guards_what_comes_by_http(function: Made) -> None:
    guarded = function(SIGHTLINE_API_KEY="secret")
    assert code(guarded(http(PICTURE, "image/jpeg"))) == (401, "unauthorized")
    assert code(guarded(http(PICTURE, "image/jpeg", headers={"X-Api-Key": "other"}))) == (401, "unauthorized")
    assert members(guarded(http(PICTURE, "image/jpeg", headers={"X-Api-Key": "secret"})))["faces"]
    assert members(guarded(http(PICTURE, "image/jpeg", headers={"Authorization": "Bearer secret"})))["faces"]
    assert guarded(EVENTS["direct"])["faces"]  # IAM guards this one


def test_a_drawing_too_large_to_send_becomes_a_jpeg_or_an_error(
    emotion: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    png_or_jpeg = http(PICTURE, "image/jpeg", headers={"accept": "image/png, image/jpeg;q=0.5"})
    only_png = http(PICTURE, "image/jpeg", headers={"accept": "image/png"})
    assert emotion(png_or_jpeg)["headers"]["Content-Type"] == "image/png"
    assert REPLY_BYTES == {"http": 6_291_556, "rest": 6_291_556, "direct": 6_291_556, "alb": 1_048_576}
    monkeypatch.setitem(REPLY_BYTES, "http", 60_000)
    reply = emotion(png_or_jpeg)
    assert reply["headers"]["Content-Type"] == "image/jpeg"
    assert len(json.dumps(reply)) <= 60_000
    with Image.open(io.BytesIO(base64.b64decode(reply["body"]))) as image:
        assert (image.format, image.size) == ("JPEG", (256, 256))
    assert code(emotion(only_png)) == (413, "answer_too_large")
    monkeypatch.setitem(REPLY_BYTES, "http", 2_000)
    assert code(emotion(png_or_jpeg)) == (413, "answer_too_large")
    monkeypatch.setitem(REPLY_BYTES, "direct", 200)
    assert code(emotion(EVENTS["direct"])) == (413, "answer_too_large")


def test_a_target_group_with_many_valued_headers_gets_them_back(emotion: Function) -> None:
    event = {name: value for name, value in EVENTS["alb"].items() if name != "headers"}
    event["multiValueHeaders"] = {"Content-Type": ["application/json"]}
    reply = emotion(event)
    assert reply["statusCode"] == 200
    assert reply["multiValueHeaders"]["Content-Type"] == ["application/json"]
    assert "headers" not in reply


def records(*keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "Records": [
            {"eventSource": "aws:s3", "eventName": name, "s3": {"bucket": {"name": "my-photos"}, "object": {"key": k}}}
            for k in keys
        ]
    }


def test_pictures_put_into_a_bucket(function: Made, emotion: Function) -> None:
    shelf = Shelf(**{"in/astronaut.jpg": PICTURE, "in/two words+ä.jpg": PICTURE, "in/text.jpg": b"text"})
    made = function(shelf)(EVENTS["s3"])
    (one,) = made["records"]
    assert untimed(one.pop("answer")) == untimed(emotion(EVENTS["direct"]))
    assert one == {"bucket": "my-photos", "key": "in/astronaut.jpg"}
    assert len(shelf.objects) == 3  # nothing is written unasked
    told = function(shelf)(records("in/two+words%2B%C3%A4.jpg", "in/text.jpg", "in/absent.jpg"))["records"]
    assert [one["key"] for one in told] == ["in/two words+ä.jpg", "in/text.jpg", "in/absent.jpg"]
    assert told[0]["answer"]["faces"]
    assert [one["error"]["code"] for one in told[1:]] == ["unsupported_format", "not_found"]
    json.dumps(told)


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"SIGHTLINE_RESULT_BUCKET": "answers"}, ("answers", "in/astronaut.jpg.emotion.json")),
        ({"SIGHTLINE_RESULT_PREFIX": "out/"}, ("my-photos", "out/in/astronaut.jpg.emotion.json")),
        (
            {"SIGHTLINE_RESULT_BUCKET": "answers", "SIGHTLINE_RESULT_PREFIX": "a/"},
            ("answers", "a/in/astronaut.jpg.emotion.json"),
        ),
    ],
)
def test_answers_are_written_where_they_are_wanted(
    function: Made, environ: dict[str, str], place: tuple[str, str]
) -> None:
    shelf = Shelf(**{"in/astronaut.jpg": PICTURE})
    asked = function(shelf, **environ)
    (one,) = asked(EVENTS["s3"])["records"]
    assert one["result"] == {"bucket": place[0], "key": place[1]}
    assert json.loads(shelf.objects[place]) == one["answer"]
    # Its own answers and what is taken away are no pictures: no function calls itself forever.
    assert asked(records(place[1])) == {"records": []}
    assert asked(records("in/astronaut.jpg", name="ObjectRemoved:Delete")) == {"records": []}


def test_lambda_tries_again_where_that_may_help(function: Made) -> None:
    shelf = Shelf(**{"in/astronaut.jpg": PICTURE})
    shelf.broken = True
    with pytest.raises(Unavailable, match="S3 does not answer"):
        function(shelf)(EVENTS["s3"])
    assert function(shelf)({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == {"records": []}


def test_a_task_of_three_pictures_is_not_asked_of_an_object(function: Made) -> None:
    shelf = Shelf(**{"in/astronaut.jpg": PICTURE})
    (one,) = function(shelf, SIGHTLINE_TASK="similarity")(EVENTS["s3"])["records"]
    assert one["error"]["code"] == "invalid_request"


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
AWS_NAMES = (
    *("requestContext", "httpMethod", "path", "rawPath", "headers", "multiValueHeaders", "body", "isBase64Encoded"),
    *("queryStringParameters", "Records", "Event", "image", "task"),
)


@given(event=st.dictionaries(st.sampled_from(AWS_NAMES), json_values, max_size=6))
def test_whatever_the_event(emotion: Function, event: dict[str, Any]) -> None:
    """A reply that is JSON, and no 500: nothing that a caller sends is this function's own error."""
    reply = json.loads(json.dumps(emotion(event)))
    if kind_of(event) != "s3":
        assert reply["statusCode"] < 500


@given(path=st.text(max_size=20), stage=st.text(max_size=5), body=st.binary(max_size=50))
def test_a_request_is_read_back(path: str, stage: str, body: bytes) -> None:
    event = http(body, "Image/JPEG", f"/{stage}/{path}" if stage else f"/{path}")
    event["requestContext"]["stage"] = stage or "$default"
    request = read_request(event, "http")
    assert (request.path, request.body) == (f"/{path}", body)
    assert request.headers == {"content-type": "Image/JPEG"}
