"""The native HTTP protocol and the classic routes, against a real server process, by the design's outward contract."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.models

JSON = {"Accept": "application/json"}
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMON = {"model", "models", "timings_ms"}

CheckError = Callable[[httpx.Response, int, str], dict[str, str]]
Members = dict[str, Any]


@pytest.fixture(scope="module")
def photo(portrait_jpeg: Path) -> bytes:
    return portrait_jpeg.read_bytes()


@pytest.fixture(scope="module")
def photo64(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


KEY = "a-key-of-some-length-7f3a"


@pytest.fixture(scope="module")
def guarded(start_server: Any) -> Any:
    """A server of one task, with a key, small pictures and a small body limit."""
    return start_server("faces", "--api-key", KEY, SIGHTLINE_MAX_BYTES="300000")


@pytest.fixture(scope="module")
def guarded_client(guarded: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url, timeout=60, headers={"X-API-Key": KEY}) as made:
        yield made


def ask(client: httpx.Client, task: str, photo: bytes, headers: dict[str, str] | None = None, **options: str) -> Any:
    return client.post(f"/v1/{task}", files={"image": ("photo.jpg", photo)}, data=options, headers=headers)


def png(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return image


def check_common(members: Members) -> None:
    assert set(members) >= COMMON
    assert set(members["model"]) == {"name", "version", "sha256"}
    assert SHA256.fullmatch(members["model"]["sha256"])
    assert members["models"][0] == members["model"]
    timings = members["timings_ms"]
    assert set(timings) == {"decode", "queue", "infer", "total"}
    assert all(isinstance(value, float) and value >= 0 for value in timings.values())
    assert timings["total"] > 0


def check_box(box: Members, width: int, height: int) -> None:
    assert set(box) == {"x", "y", "width", "height"}
    assert all(isinstance(value, float) for value in box.values())
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert 0 < box["x"] + box["width"] <= width
    assert 0 < box["y"] + box["height"] <= height


# --- every task, by both bodies ---------------------------------------------------------------------------------------


def test_faces(client: httpx.Client, photo: bytes, photo64: str, same_answer: Callable[[Members], Members]) -> None:
    by_form = ask(client, "faces", photo, confidence="0.5")
    assert by_form.status_code == 200
    assert by_form.headers["content-type"] == "application/json"
    members = by_form.json()
    check_common(members)
    (face,) = members["faces"]
    assert set(face) == {"box", "confidence", "landmarks"}
    check_box(face["box"], 512, 512)
    # Eileen Collins' face, read off the photo.
    box = face["box"]
    assert box["x"] < 223 < box["x"] + box["width"]
    assert box["y"] < 120 < box["y"] + box["height"]
    assert 0.5 <= face["confidence"] <= 1
    assert set(face["landmarks"]) >= {"left_eye", "right_eye", "nose", "mouth"}
    assert face["landmarks"]["right_eye"]["x"] < face["landmarks"]["left_eye"]["x"]  # her own right and left
    by_json = client.post("/v1/faces", json={"image": {"bytes": photo64}, "confidence": 0.5})
    assert by_json.status_code == 200
    assert same_answer(by_json.json()) == same_answer(members)


def test_an_option_counts(client: httpx.Client, photo: bytes) -> None:
    assert len(ask(client, "faces", photo).json()["faces"]) == 1
    assert ask(client, "faces", photo, confidence="1").json()["faces"] == []


def test_similarity(client: httpx.Client, three_faces: list[Path], same_answer: Callable[[Members], Members]) -> None:
    contents = dict(zip(("anchor", "img1", "img2"), (path.read_bytes() for path in three_faces), strict=True))
    by_form = client.post("/v1/similarity", files=contents)
    assert by_form.status_code == 200, by_form.text
    members = by_form.json()
    check_common(members)
    assert members["more_similar"] in ("img1", "img2")
    for name in ("similarity", "distance", "same_person"):
        assert set(members[name]) == {"img1", "img2"}
    assert all(0.5 < value <= 1 for value in members["similarity"].values())
    assert members["same_person"] == {"img1": True, "img2": True}
    assert all(value < members["threshold"] for value in members["distance"].values())
    nearer = min(("img1", "img2"), key=lambda name: members["distance"][name])
    assert members["more_similar"] == nearer
    body = {name: {"bytes": base64.b64encode(content).decode()} for name, content in contents.items()}
    by_json = client.post("/v1/similarity", json=body)
    assert same_answer(by_json.json()) == same_answer(members)
    assert client.post("/v1/similarity", json={**body, "threshold": 0}).json()["more_similar"] == "neither"


def test_background_as_json(
    client: httpx.Client, photo: bytes, photo64: str, same_answer: Callable[[Members], Members]
) -> None:
    answer = ask(client, "background", photo, JSON, query="sunset")
    members = answer.json()
    check_common(members)
    assert answer.headers["content-type"] == "application/json"
    assert set(members) == {"mask", "coverage", "background", "image"} | COMMON
    mask = np.asarray(png(base64.b64decode(members["mask"]["png"], validate=True)).convert("L"))
    assert mask.shape == (512, 512)
    assert members["coverage"] == pytest.approx(mask.mean() / 255, abs=0.001)
    assert mask[120, 223] > 200  # her face is kept
    assert set(members["background"]) >= {"source", "title", "licence", "url"}
    by_json = client.post("/v1/background", json={"image": {"bytes": photo64}, "query": "sunset"}, headers=JSON)
    assert same_answer(by_json.json()) == same_answer(members)


def test_background_answers_a_picture(client: httpx.Client, photo: bytes, portrait: np.ndarray) -> None:
    answer = ask(client, "background", photo, color="#00ff00")
    assert answer.headers["content-type"] == "image/png"
    image = png(answer.content)
    assert (image.mode, image.size) == ("RGB", (512, 512))
    pixels = np.asarray(image).astype(int)
    assert np.abs(pixels[120, 223] - portrait[120, 223]).max() < 40
    green = (pixels == (0, 255, 0)).all(axis=2)
    assert green.mean() > 0.1
    beside = json.loads(answer.headers["x-sightline-answer"])
    assert set(beside) >= {"model", "timings_ms", "coverage", "background"}


def test_background_by_every_option(client: httpx.Client, photo: bytes) -> None:
    transparent = png(ask(client, "background", photo, transparent="true").content)
    assert transparent.mode == "RGBA"
    assert transparent.getchannel("A").getextrema() == (0, 255)
    blurred = png(ask(client, "background", photo, blur="true").content)
    behind = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(behind, "PNG")
    files = {"image": photo, "background": behind.getvalue()}
    replaced = png(client.post("/v1/background", files=files).content)
    found = png(ask(client, "background", photo, query="sunset").content)
    red = (np.asarray(replaced) == (255, 0, 0)).all(axis=2)
    assert red.mean() > 0.1
    assert len({image.convert("RGB").tobytes() for image in (transparent, blurred, replaced, found)}) == 4


@pytest.mark.parametrize(
    ("task", "accept", "expected"),
    [
        ("faces", None, "application/json"),
        ("faces", "*/*", "application/json"),
        ("faces", "image/png", "image/png"),
        ("faces", "image/jpeg", "image/jpeg"),
        ("faces", "image/*", "image/png"),
        ("faces", "image/jpeg;q=0.9, image/png;q=0.1, application/json;q=0.2", "image/jpeg"),
        ("faces", "image/png;q=0, */*;q=0.1", "application/json"),
        ("faces", "text/html, application/json;charset=utf-8", "application/json"),
        ("faces", "IMAGE/PNG", "image/png"),
        ("background", None, "image/png"),
        ("background", "*/*", "image/png"),
        ("background", "application/json", "application/json"),
        ("background", "image/jpeg", "image/jpeg"),
        ("background", "image/png;q=0.2, application/json;q=0.8", "application/json"),
    ],
)
def test_accept_decides(client: httpx.Client, photo: bytes, task: str, accept: str | None, expected: str) -> None:
    request = client.build_request("POST", f"/v1/{task}", files={"image": photo})
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    answer = client.send(request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, expected)
    if expected == "application/json":
        check_common(answer.json())
    else:
        image = Image.open(io.BytesIO(answer.content))
        assert (image.get_format_mimetype(), image.size) == (expected, (512, 512))


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "application/json;q=0, image/*;q=0"])
def test_what_cannot_be_given_is_406(client: httpx.Client, photo: bytes, check_error: CheckError, accept: str) -> None:
    check_error(ask(client, "faces", photo, {"Accept": accept}), 406, "not_acceptable")


def test_every_format_is_taken(client: httpx.Client, portrait: np.ndarray) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(portrait).save(buffer, kind)
        answer = client.post("/v1/faces", files={"image": ("not-its-name.txt", buffer.getvalue(), "text/plain")})
        assert answer.status_code == 200, kind
        assert len(answer.json()["faces"]) == 1, kind


# --- errors -----------------------------------------------------------------------------------------------------------


def test_pictures_that_are_none(
    client: httpx.Client, photo: bytes, declared_huge: bytes, check_error: CheckError
) -> None:
    check_error(ask(client, "faces", b"a text, named photo.jpg"), 415, "unsupported_format")
    check_error(ask(client, "faces", photo[: len(photo) // 2]), 400, "invalid_image")
    check_error(ask(client, "faces", b""), 400, "invalid_image")
    check_error(ask(client, "faces", declared_huge), 413, "image_too_large")
    by_json = {"image": {"bytes": base64.b64encode(declared_huge).decode()}}
    check_error(client.post("/v1/background", json=by_json), 413, "image_too_large")


def test_no_face(client: httpx.Client, photo: bytes, no_people_jpeg: Path, check_error: CheckError) -> None:
    files = {"anchor": photo, "img1": no_people_jpeg.read_bytes(), "img2": photo}
    assert "img1" in check_error(client.post("/v1/similarity", files=files), 422, "no_face")["message"]
    assert ask(client, "faces", no_people_jpeg.read_bytes(), confidence="0.5").json()["faces"] == []


def test_questions_that_are_wrong(client: httpx.Client, photo: bytes, photo64: str, check_error: CheckError) -> None:
    picture = {"bytes": photo64}
    check_error(client.post("/v1/faces", files={"image": ("", b"")}), 400, "missing_input")
    check_error(client.post("/v1/faces", json={}), 400, "missing_input")
    check_error(client.post("/v1/faces", json={"image": None}), 400, "missing_input")
    check_error(client.post("/v1/similarity", files={"anchor": photo, "img1": photo}), 400, "missing_input")
    check_error(ask(client, "faces", photo, nonsense="1"), 400, "invalid_option")
    check_error(ask(client, "faces", photo, confidence="much"), 400, "invalid_option")
    check_error(client.post("/v1/faces", json={"image": picture, "confidence": 1.5}), 400, "invalid_option")
    check_error(client.post("/v1/faces", json={"image": picture, "confidence": True}), 400, "invalid_option")
    lone = json.dumps({"image": picture, "\ud800": 1}).encode()  # half of a surrogate pair, which UTF-8 cannot say
    check_error(client.post("/v1/faces", content=lone, headers={"Content-Type": JSON["Accept"]}), 400, "invalid_option")
    check_error(ask(client, "background", photo, query="sunset", color="red"), 400, "invalid_option")
    check_error(ask(client, "background", photo, color="no colour"), 400, "invalid_option")
    check_error(ask(client, "background", photo, provider="nobody", query="sea"), 400, "invalid_option")
    twice = [("image", ("a.jpg", photo)), ("image", ("b.jpg", photo))]
    check_error(client.post("/v1/faces", files=twice), 400, "invalid_option")
    check_error(client.post("/v1/faces", files={"image": ("a", photo), "img9": ("b", photo)}), 400, "invalid_option")


def test_a_form_sends_its_empty_fields_too(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    """As browsers do: a file field without a file has an empty name and no bytes."""
    empty = 'Content-Disposition: form-data; name="background"; filename=""\r\nContent-Type: application/octet-stream'
    parts = [
        b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + photo,
        empty.encode() + b"\r\n\r\n",
        b'Content-Disposition: form-data; name="query"\r\n\r\n',
        b'Content-Disposition: form-data; name="color"\r\n\r\nnavy',
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}

    def form(some: list[bytes]) -> bytes:
        return b"".join(b"--limit\r\n" + part + b"\r\n" for part in some) + b"--limit--\r\n"

    answer = client.post("/v1/background", content=form(parts), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    check_error(client.post("/v1/background", content=form(parts[1:]), headers=headers), 400, "missing_input")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_request"),
        (b"", "invalid_request"),
        (b"\xff\xfe\xff", "invalid_request"),
        (b"[" * 100_000, "invalid_request"),
        (b"[]", "invalid_request"),
        (b'"image"', "invalid_request"),
        (b'{"image": "text"}', "invalid_request"),
        (b'{"image": {}}', "invalid_request"),
        (b'{"image": {"bytes": "a", "url": "b"}}', "invalid_request"),
        (b'{"image": {"bytes": 7}}', "invalid_request"),
        (b'{"image": {"s3": {"bucket": "b"}}}', "invalid_request"),
        (b'{"image": {"bytes": "%%%"}}', "invalid_image"),
        (b'{"image": {"bytes": "\xc3\xa9"}}', "invalid_image"),
        (b'{"image": {"bytes": "AAA"}}', "invalid_image"),
    ],
)
def test_bodies_that_are_no_question(client: httpx.Client, check_error: CheckError, body: bytes, code: str) -> None:
    check_error(client.post("/v1/faces", content=body, headers={"Content-Type": "application/json"}), 400, code)


def test_media_types(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    for kind in ("text/plain", "image/jpeg", "application/x-www-form-urlencoded", ""):
        answer = client.post("/v1/faces", content=photo, headers={"Content-Type": kind} if kind else {})
        check_error(answer, 415, "unsupported_media_type")
    broken = {"Content-Type": "multipart/form-data"}
    check_error(client.post("/v1/faces", content=b"--x", headers=broken), 400, "invalid_request")


def test_fetching_is_off_unless_asked_for(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    for reference in ({"url": "http://127.0.0.1:9/x.jpg"}, {"s3": {"bucket": "b", "key": "k"}}):
        check_error(client.post("/v1/faces", json={"image": reference}), 403, "fetch_refused")
    check_error(ask(client, "background", photo, query="sea", provider="openverse"), 403, "fetch_refused")


def test_places_that_are_not(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    check_error(ask(client, "nonsense", photo), 404, "unknown_task")
    check_error(client.get("/nowhere"), 404, "not_found")
    check_error(client.get("/docs/static/nothing.js"), 404, "not_found")
    check_error(client.get("/web/..%2f..%2fcli.py"), 404, "not_found")
    for method, path, allowed in (
        ("GET", "/v1/faces", "POST"),
        ("DELETE", "/v1/faces", "POST"),
        ("POST", "/v1/tasks", "GET"),
    ):
        answer = client.request(method, path)
        check_error(answer, 405, "method_not_allowed")
        assert allowed in answer.headers["allow"]


def test_a_task_whose_model_is_not_here(
    start_server: Any, client: httpx.Client, photo: bytes, check_error: Any
) -> None:
    """Holds for each task that this server does not serve, as `GET /v1/tasks` tells it."""
    absent = [task for task in client.get("/v1/tasks").json()["tasks"] if not task["ready"]]
    for task in absent:
        assert task["reason"]
        answer = ask(client, task["name"], photo)
        check_error(answer, 503, "unavailable")
        assert answer.headers["retry-after"]


def test_a_body_over_the_limit(guarded_client: httpx.Client, check_error: CheckError) -> None:
    """With Content-Length it is refused before it is read, chunked while it is; either way the answer arrives, also
    where the client is still sending."""
    much = os.urandom(1 << 16)

    def chunks() -> Iterator[bytes]:
        for _ in range(160):
            yield much

    for _ in range(4):
        for content in (much * 160, chunks()):
            answer = guarded_client.post("/v1/faces", content=content, headers={"Content-Type": "application/json"})
            check_error(answer, 413, "image_too_large")
    # A body within the limit, a picture over its own.
    check_error(guarded_client.post("/v1/faces", files={"image": much * 5}), 413, "image_too_large")
    assert guarded_client.get("/livez").status_code == 200


# --- ids, headers, many at once ---------------------------------------------------------------------------------------


def test_request_ids(client: httpx.Client, photo: bytes) -> None:
    assert client.get("/livez", headers={"X-Request-Id": "order-66.a_b"}).headers["x-request-id"] == "order-66.a_b"
    assert ask(client, "faces", photo, {"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
    for silly in ("a" * 65, "with space", "<script>", "", "ümlaut".encode()):
        made = client.get("/livez", headers={"X-Request-Id": silly}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)
    first, second = (client.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("path", ["/", "/livez", "/docs", "/v1/tasks", "/nowhere"])
def test_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-request-id"]
    assert "server" not in headers


def test_many_at_once_are_not_mixed_up(
    client: httpx.Client, server_url: str, portrait: np.ndarray, same_answer: Callable[[Members], Members]
) -> None:
    questions = []
    for index in range(40):
        cut = portrait[index : 260 + 3 * index, 2 * index : 330 + index]
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(cut)).save(buffer, "PNG")
        questions.append(("background" if index % 8 == 0 else "faces", buffer.getvalue(), f"picture-{index}"))

    def answer(question: tuple[str, bytes, str]) -> Members:
        task, photo, name = question
        reply = ask(client, task, photo, {"X-Request-Id": name, **JSON})
        assert reply.status_code == 200, reply.text
        assert reply.headers["x-request-id"] == name
        return same_answer(reply.json())

    alone = [answer(question) for question in questions]
    assert len({json.dumps(members) for members in alone}) == 40
    with ThreadPoolExecutor(40) as pool:
        together = list(pool.map(answer, questions))
    assert together == alone


def test_a_client_that_goes_away(guarded: Any, guarded_client: httpx.Client, photo: bytes) -> None:
    host, port = guarded.url.removeprefix("http://").split(":")
    head = f"POST /v1/faces HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {KEY}\r\nX-Request-Id: gone-%s\r\n"
    form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\n"
    with socket.create_connection((host, int(port))) as half:
        half.sendall((head % "half" + form).encode())
    body = json.dumps({"image": {"bytes": base64.b64encode(photo).decode()}}).encode()
    whole_head = head % "whole" + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port))) as whole:
        whole.sendall(whole_head.encode() + body)
    _wait_for(guarded.log, "id=gone-half", "id=gone-whole")
    assert len(guarded_client.post("/v1/faces", files={"image": photo}).json()["faces"]) == 1
    assert "Traceback" not in guarded.log.read_text()


def _wait_for(log: Path, *words: str) -> None:
    deadline = time.monotonic() + 20
    while not all(word in log.read_text() for word in words):
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.05)


# --- what describes the server ----------------------------------------------------------------------------------------


def test_tasks_and_models(client: httpx.Client) -> None:
    tasks = {task["name"]: task for task in client.get("/v1/tasks").json()["tasks"]}
    assert {"faces", "similarity", "background", "emotion", "lungs"} <= set(tasks)
    assert [picture["name"] for picture in tasks["similarity"]["pictures"]] == ["anchor", "img1", "img2"]
    assert {option["name"] for option in tasks["background"]["options"]} >= {"query", "color", "blur", "transparent"}
    assert tasks["faces"]["ready"]
    models = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    for identity in tasks["faces"]["models"]:
        assert models[identity["name"]]["state"] in ("ready", "shipped")


def test_health(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert "faces" in ready.json()["tasks"]
    head = client.head("/readyz")
    assert (head.status_code, head.content) == (200, b"")


def test_metrics_count(client: httpx.Client, photo: bytes) -> None:
    def sample(name: str, **labels: str) -> float:
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = (found for family in families for found in family.samples)
        return sum(found.value for found in samples if found.name == name and found.labels.items() >= labels.items())

    good = {"task": "faces", "code": "ok"}
    before = sample("sightline_answers_total", **good)
    requests = sample("sightline_requests_total", route="/v1/faces", status="200")
    bad = sample("sightline_answers_total", task="faces", code="unsupported_format")
    ask(client, "faces", photo)
    ask(client, "faces", photo)
    ask(client, "faces", b"text")
    assert sample("sightline_answers_total", **good) == before + 2
    assert sample("sightline_requests_total", route="/v1/faces", status="200") == requests + 2
    assert sample("sightline_answers_total", task="faces", code="unsupported_format") == bad + 1
    assert sample("sightline_stage_seconds_count", task="faces", stage="infer") == before + 2
    client.get("/a/path/nobody/knows")
    assert "nobody" not in client.get("/metrics").text


def test_docs_need_no_other_address(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page.text)
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any(asset.endswith(".js") for asset in assets)
    assert any(asset.endswith(".css") for asset in assets)
    for asset in assets:
        assert client.get(asset).status_code == 200, asset
    assert "/openapi.json" in page.text


def test_the_page_and_the_classic_greeting(client: httpx.Client) -> None:
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert browser.headers["content-type"].startswith("text/html")
    assert "<html" in browser.text
    assert client.get("/", headers={"Accept": "*/*"}).headers["content-type"].startswith("text/html")
    program = client.get("/", headers=JSON)
    assert program.headers["content-type"] == "application/json"
    assert program.json() == {"message": "Ok"}


# --- the key, the address, the end ------------------------------------------------------------------------------------


def test_the_key(guarded: Any, photo: bytes, check_error: CheckError) -> None:
    with httpx.Client(base_url=guarded.url, timeout=60) as client:
        for path in ("/v1/faces", "/predict", "/face-sentiment", "/face-bokeh/sea"):
            refused = client.post(path, files={"image": photo})
            check_error(refused, 401, "unauthorized")
            assert refused.headers["www-authenticate"].lower().startswith("bearer")
        for path in ("/v1/tasks", "/v1/models"):
            check_error(client.get(path), 401, "unauthorized")
        for headers in ({"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}):
            check_error(ask(client, "faces", photo, headers), 401, "unauthorized")
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer {KEY}"}):
            assert ask(client, "faces", photo, headers).status_code == 200
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/"):
            assert client.get(path).status_code == 200, path
    assert KEY not in guarded.log.read_text()


def test_one_task_has_two_aliases(guarded_client: httpx.Client, photo: bytes, same_answer: Any) -> None:
    assert guarded_client.get("/test").status_code == 200
    alias = guarded_client.post("/predict", files={"image": photo})
    assert alias.status_code == 200
    assert same_answer(alias.json()) == same_answer(ask(guarded_client, "faces", photo).json())
    drawn = guarded_client.post("/predict", files={"image": photo}, headers={"Accept": "image/jpeg"})
    assert drawn.headers["content-type"] == "image/jpeg"


def test_a_task_that_this_server_was_not_asked_to_serve(
    guarded_client: httpx.Client, photo: bytes, check_error: CheckError
) -> None:
    check_error(ask(guarded_client, "background", photo), 404, "unknown_task")
    check_error(guarded_client.post("/face-bokeh/sea", files={"file": photo}), 404, "unknown_task")


def test_beyond_this_machine_a_key_is_wanted() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SIGHTLINE_API_KEY"}
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        command = [sys.executable, "-m", "sightline.cli", "serve", "faces", "--host", host, "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "--api-key" in line
        assert "--insecure" in line


def test_the_life_of_a_server(start_server: Any, photo: bytes, check_error: CheckError) -> None:
    """Not ready, with the reason; ready; told to stop, it finishes the request in flight and ends with 0."""
    server = start_server("faces", "--host", "0.0.0.0", "--insecure", wait=False)
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert "loaded" in check_error(httpx.get(f"{url}/readyz"), 503, "unavailable")["message"]
    deadline = time.monotonic() + 60
    while httpx.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    body = json.dumps({"image": {"bytes": base64.b64encode(photo).decode()}}).encode()
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as flight:
        head = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        flight.sendall(b"POST /v1/faces HTTP/1.1\r\n" + head.encode() + body[:1000])
        # An answer to another question shows that the server has read what was sent before it.
        assert httpx.get(f"{url}/livez").status_code == 200
        server.process.terminate()
        _wait_for(server.log, "stopping")
        flight.sendall(body[1000:])
        reply = b""
        while chunk := flight.recv(65536):
            reply += chunk
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b'"faces":[{"box"' in reply
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log.read_text()


# --- the classic routes -----------------------------------------------------------------------------------------------


def test_face_bokeh(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    answer = client.post("/face-bokeh/night sky", files={"file": ("photo.jpg", photo)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert png(answer.content).size == (512, 512)
    same = ask(client, "background", photo, query="night sky")
    assert answer.content == same.content
    check_error(client.post("/face-bokeh/sunset", files={"file": b"text"}), 415, "unsupported_format")
    check_error(client.post("/face-bokeh/sunset", files={"other": photo}), 400, "invalid_option")


def test_predict_by_the_classic_names(client: httpx.Client, three_faces: list[Path], check_error: CheckError) -> None:
    anchor, first, second = (path.read_bytes() for path in three_faces)
    answer = client.post("/predict", files={"fileAnchor": anchor, "file1": first, "file2": second})
    assert answer.status_code == 200, answer.text
    members = answer.json()
    check_common(members)
    nearer = {"img1": "Image 1", "img2": "Image 2"}[members["more_similar"]]
    assert members["Result"] == f"{nearer} is more similar to Anchor Image"
    turned = client.post("/predict", files={"fileAnchor": anchor, "file1": second, "file2": first}).json()
    assert turned["Result"] != members["Result"]
    check_error(client.post("/predict", files={"fileAnchor": anchor, "file1": first}), 400, "missing_input")


def test_face_sentiment(client: httpx.Client, photo: bytes, check_error: CheckError) -> None:
    answer = client.post("/face-sentiment", files={"file": ("photo.jpg", photo)})
    if "emotion" in client.get("/readyz").json()["tasks"]:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert png(answer.content).size == (512, 512)
    else:
        check_error(answer, 503, "unavailable")
