"""Tasks answer on a machine with no network and nothing pulled: what is shipped is enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.wire.conftest import Command


@pytest.fixture
def asked(command: Command, offline: dict[str, str]) -> Any:
    def ask(*arguments: str | Path) -> dict[str, Any]:
        done = command("predict", *arguments, "--json", **offline)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return ask


def test_faces_and_emotion(asked: Any, portrait_jpeg: Path) -> None:
    (face,) = asked("faces", portrait_jpeg)["faces"]
    said = asked("emotion", portrait_jpeg)
    (read,) = said["faces"]
    assert read["box"] == face["box"]
    assert sum(read["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert [model["name"] for model in said["models"]] == ["emotion-small", "haar-frontal"]


def test_detect_finds_upright_people(asked: Any, shared: Path) -> None:
    said = asked("detect", shared / "coco_mini" / "images" / "000000030752.jpg")
    assert said["model"]["name"] == "hog-people"
    assert {thing["label"] for thing in said["objects"]} == {"person"}


def test_similarity(asked: Any, portrait_jpeg: Path, shared: Path) -> None:
    photos = shared / "photos"
    said = asked("similarity", photos / "obama.jpg", photos / "biden.jpg", photos / "obama2.jpg")
    assert said["more_similar"] == "img2"
    assert said["distance"]["img2"] < said["distance"]["img1"]
    assert said["model"]["name"] == "siamese-small"


def test_background(asked: Any, command: Command, offline: dict[str, str], portrait_jpeg: Path, tmp_path: Path) -> None:
    said = asked("background", portrait_jpeg, "--color", "#00ff00")
    assert said["model"]["name"] == "portraits-deeplab"
    assert 0.1 < said["coverage"] < 0.9
    drawn = tmp_path / "green.png"
    assert (
        command("predict", "background", portrait_jpeg, "--color", "#00ff00", "--out", drawn, **offline).returncode == 0
    )
    corner = np.asarray(Image.open(drawn).convert("RGB"), int)[5, 5]
    assert np.abs(corner - (0, 255, 0)).max() < 20  # a few hundredths of the old background may shine through


def test_lungs(asked: Any, command: Command, offline: dict[str, str], portrait_jpeg: Path, shared: Path) -> None:
    film = next(iter(sorted((shared / "lungs" / "images").glob("MCUCXR*.jpg"))))
    said = asked("lungs", film)
    assert len(said["lungs"]) == 2
    assert said["quality"]["looks_like_chest_xray"] is True
    assert 0.1 < said["coverage"] < 0.5
    assert asked("lungs", portrait_jpeg)["quality"]["looks_like_chest_xray"] is False
    told = command("predict", "lungs", portrait_jpeg, **offline).stdout
    assert "does not look like a chest X-ray" in told
