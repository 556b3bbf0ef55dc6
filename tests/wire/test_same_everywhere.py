"""One question, four ways to ask it: Python, the command, HTTP and Lambda give one answer."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import sightline
from sightline.protocols.lambda_ import Function

pytestmark = pytest.mark.models

Members = dict[str, Any]

ORIENTATION = 0x0112


def encoded(portrait: np.ndarray, width: int, height: int, kind: str, orientation: int) -> bytes:
    """The portrait stretched to this size, in this format, to be turned upright by its EXIF orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.fromarray(portrait).resize((width, height)).save(buffer, kind, exif=exif)
    return buffer.getvalue()


pictures = st.tuples(
    st.integers(200, 700),
    st.integers(200, 700),
    st.sampled_from(["PNG", "JPEG", "WEBP"]),
    st.sampled_from([1, 2, 3, 6, 8]),
)
few = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Any]:
    return {name: sightline.load(name) for name in ("faces", "background", "similarity", "detect", "segment")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("same")


@pytest.fixture(scope="module")
def function() -> Function:
    return Function(os.environ)


def by_lambda(function: Function, task: str, typed: Members, form: httpx.Request) -> dict[str, Members]:
    """The same question as a direct call, and the request of the form as an HTTP API hands it over."""
    event = {
        "requestContext": {"http": {"method": form.method, "path": form.url.path}},
        "rawPath": form.url.path,
        "headers": dict(form.headers),
        "body": base64.b64encode(form.read()).decode(),
        "isBase64Encoded": True,
    }
    reply = function(event)
    assert reply["statusCode"] == 200, reply
    return {"lambda": function({"task": task, **typed}), "lambda by http": json.loads(reply["body"])}


@pytest.fixture(scope="module")
def ask_everyone(
    tasks: dict[str, Any],
    client: httpx.Client,
    command: Callable[..., subprocess.CompletedProcess[str]],
    same_answer: Callable[[Members], Members],
    folder: Path,
    function: Function,
) -> Callable[..., dict[str, Members]]:
    """Asks one question in every way, and gives each way's answer without its timings."""

    def ask(task: str, contents: dict[str, bytes], **options: str | float | bool) -> dict[str, Members]:
        paths = []
        for name, content in contents.items():
            paths.append(folder / f"{name}.bin")
            paths[-1].write_bytes(content)
        flags = [
            part
            for name, value in options.items()
            for part in ([f"--{name}"] if value is True else [f"--{name}", value])
        ]
        done = command("predict", task, *paths, *map(str, flags), "--json")
        assert done.returncode == 0, done.stderr
        headers = {"Accept": "application/json"}
        form = {name: str(value).lower() if value is True else str(value) for name, value in options.items()}
        typed = {name: {"bytes": base64.b64encode(content).decode()} for name, content in contents.items()} | options
        # Python's own floats and tuples, as they look once they have been JSON.
        python = json.loads(json.dumps(tasks[task](*contents.values(), **options).to_dict()))
        by_path = json.loads(json.dumps(tasks[task](*paths, **options).to_dict()))
        replies = {
            "form": client.post(f"/v1/{task}", files=contents, data=form, headers=headers),
            "json": client.post(f"/v1/{task}", json=typed, headers=headers),
        }
        assert all(reply.status_code == 200 for reply in replies.values()), replies
        found = {"python": python, "python by path": by_path, "command": json.loads(done.stdout)}
        found |= {name: reply.json() for name, reply in replies.items()}
        found |= by_lambda(function, task, typed, replies["form"].request)
        return {name: same_answer(members) for name, members in found.items()}

    return ask


def check_all_the_same(answers: dict[str, Members]) -> Members:
    first = answers["python"]
    for name, members in answers.items():
        assert members == first, name
    assert len(answers) == 7
    return first


@given(picture=pictures, confidence=st.sampled_from([0.0, 0.5]))
@few
def test_faces(portrait: np.ndarray, ask_everyone: Any, picture: tuple[int, int, str, int], confidence: float) -> None:
    width, height, _, orientation = picture
    answers = ask_everyone("faces", {"image": encoded(portrait, *picture)}, confidence=confidence)
    members = check_all_the_same(answers)
    upright = {"width": width, "height": height} if orientation < 5 else {"width": height, "height": width}
    assert members["image"] == upright


@given(picture=pictures, options=st.sampled_from([{"confidence": 0.05}, {"confidence": 0.05, "tiles": True}]))
@settings(few, max_examples=3)
def test_detect(
    portrait: np.ndarray, ask_everyone: Any, picture: tuple[int, int, str, int], options: dict[str, Any]
) -> None:
    members = check_all_the_same(ask_everyone("detect", {"image": encoded(portrait, *picture)}, **options))
    assert members["objects"], "something, though a portrait lying on its side is hard"


@given(
    picture=pictures,
    options=st.sampled_from([{}, {"mask": "png", "kind": "instance"}, {"kind": "semantic", "most": 3}]),
)
@settings(few, max_examples=3)
def test_segment(
    portrait: np.ndarray, ask_everyone: Any, picture: tuple[int, int, str, int], options: dict[str, Any]
) -> None:
    members = check_all_the_same(ask_everyone("segment", {"image": encoded(portrait, *picture)}, **options))
    if options.get("kind") != "semantic":
        assert "person" in {thing["label"] for thing in members["instances"]}
    if options.get("kind") != "instance":
        assert "person" in {kind["label"] for kind in members["semantic"]["labels"]}


@given(picture=pictures, options=st.sampled_from([{"blur": True}, {"color": "#102030"}, {"query": "night sky"}]))
@few
def test_background(
    portrait: np.ndarray, ask_everyone: Any, picture: tuple[int, int, str, int], options: dict[str, Any]
) -> None:
    members = check_all_the_same(ask_everyone("background", {"image": encoded(portrait, *picture)}, **options))
    assert members["mask"]["png"]


@given(kinds=st.lists(st.sampled_from(["PNG", "JPEG", "WEBP"]), min_size=3, max_size=3), side=st.integers(300, 600))
@settings(few, max_examples=3)
def test_similarity(portrait: np.ndarray, ask_everyone: Any, kinds: list[str], side: int) -> None:
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    contents = {
        "anchor": encoded(portrait, side, side, kinds[0], 1),
        "img1": encoded(mirrored, side + 20, side, kinds[1], 1),
        "img2": encoded(mirrored, side, side, kinds[2], 2),
    }
    members = check_all_the_same(ask_everyone("similarity", contents, threshold=0.7))
    assert members["threshold"] == 0.7
    assert members["same_person"] == {"img1": True, "img2": True}


def test_the_drawn_answer_too(
    tasks: dict[str, Any], client: httpx.Client, command: Any, portrait_jpeg: Path, tmp_path: Path
) -> None:
    place = tmp_path / "drawn.png"
    done = command("predict", "faces", portrait_jpeg, "--out", place)
    assert done.returncode == 0, done.stderr
    content = portrait_jpeg.read_bytes()
    by_http = client.post("/v1/faces", files={"image": content}, headers={"Accept": "image/png"}).content
    with Image.open(place) as image, Image.open(io.BytesIO(by_http)) as other:
        seen = [np.asarray(tasks["faces"](content).draw(content)), np.asarray(image), np.asarray(other)]
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], np.asarray(Image.open(portrait_jpeg)))


def test_errors_too(
    tasks: dict[str, Any], client: httpx.Client, command: Any, function: Function, tmp_path: Path
) -> None:
    for content, code in ((b"text", "unsupported_format"), (b"\xff\xd8\xff\xe0torn", "invalid_image")):
        path = tmp_path / "wrong.jpg"
        path.write_bytes(content)
        with pytest.raises(sightline.errors.InvalidImage) as raised:
            tasks["faces"](path)
        by_http = client.post("/v1/faces", files={"image": content}).json()["error"]
        by_command = command("predict", "faces", path).stderr
        by_function = function({"task": "faces", "image": base64.b64encode(content).decode()})["error"]
        assert raised.value.code == by_http["code"] == by_function["code"] == code
        assert str(raised.value) == by_http["message"] == by_function["message"]
        assert by_command == f"sightline: {raised.value} [{code}]\n"
