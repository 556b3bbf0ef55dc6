"""`pose` from Python, the command and HTTP; drawn; measured."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.tasks.pose import KEYPOINTS
from tests.wire.conftest import Command

pytestmark = pytest.mark.models


def test_one_answer_however_it_is_asked(
    client: httpx.Client, command: Command, same_answer: Any, portrait_jpeg: Path
) -> None:
    done = command("predict", "pose", portrait_jpeg, "--json")
    assert done.returncode == 0, done.stderr
    content = portrait_jpeg.read_bytes()
    reply = client.post("/v1/pose", files={"image": content})
    assert reply.status_code == 200, reply.text
    task = sightline.load("pose")
    by_python = json.loads(json.dumps(task(content).to_dict()))
    assert same_answer(json.loads(done.stdout)) == same_answer(reply.json()) == same_answer(by_python)
    (person,) = reply.json()["people"]
    assert list(person["keypoints"]) == list(KEYPOINTS)
    assert person["keypoints"]["nose"]["confidence"] > 0.5
    told = command("predict", "pose", portrait_jpeg).stdout
    assert "1 person" in told
    assert "of 17 points" in told


def test_it_is_drawn_alike(client: httpx.Client, command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    place = tmp_path / "drawn.png"
    assert command("predict", "pose", portrait_jpeg, "--out", place).returncode == 0
    by_http = client.post("/v1/pose", files={"image": portrait_jpeg.read_bytes()}, headers={"Accept": "image/png"})
    with (
        Image.open(place) as image,
        Image.open(io.BytesIO(by_http.content)) as other,
        Image.open(portrait_jpeg) as bare,
    ):
        assert np.array_equal(np.asarray(image), np.asarray(other))
        assert (np.asarray(image) != np.asarray(bare)).any(axis=2).mean() > 0.005


def test_the_model_with_more_points_is_a_choice(command: Command, portrait_jpeg: Path) -> None:
    done = command(
        "predict", "pose", portrait_jpeg, "--model", "blazepose", "--detector", "blazepose-detector", "--json"
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [model["name"] for model in said["models"]] == ["blazepose-full", "blazepose-detector"]
    (person,) = said["people"]
    assert len(person["keypoints"]) == 33
    assert set(KEYPOINTS) < set(person["keypoints"])
    wrong = command("predict", "pose", portrait_jpeg, "--detector", "movenet")
    assert wrong.returncode != 0
    assert "cannot be the detector of pose" in wrong.stderr


def test_a_photo_of_nobody_and_bytes_that_are_none(
    client: httpx.Client, check_error: Any, no_people_jpeg: Path
) -> None:
    assert client.post("/v1/pose", files={"image": no_people_jpeg.read_bytes()}).json()["people"] == []
    check_error(client.post("/v1/pose", files={"image": b"text"}), 415, "unsupported_format")
    wrong = client.post("/v1/pose", files={"image": no_people_jpeg.read_bytes()}, data={"confidence": "2"})
    check_error(wrong, 400, "invalid_option")


def test_real_answers_fit_the_document(client: httpx.Client, portrait_jpeg: Path) -> None:
    document = client.get("/openapi.json").json()
    response = document["paths"]["/v1/pose"]["post"]["responses"]["200"]
    members = client.post("/v1/pose", files={"image": portrait_jpeg.read_bytes()}).json()
    jsonschema.Draft202012Validator(response["content"]["application/json"]["schema"]).validate(members)


def test_evaluate_prints_one_object_of_figures(command: Command, shared: Path) -> None:
    done = command("evaluate", "pose", "--data", shared / "coco_mini", "--true-boxes", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert {"ap", "ap50", "ap_interval", "n", "skipped", "model", "seconds"} <= set(figures)
    # 0.403 when it was last measured; what the neighbours and the mirrored look add would be missed below this.
    assert figures["ap"] >= 0.38
    assert (figures["n"], figures["pictures"]) == (86, 80)
