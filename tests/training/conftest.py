"""Tiny drawn data sets, one a recipe: learnable in seconds, made anew for every test session."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]  # `make test-train` installs what they need

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="session")
def expressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes whose direction is the class; votes.csv for a few; one valid picture is a train picture."""
    folder = tmp_path_factory.mktemp("expressions")
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:48, 0:48]
    rows = ["file,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,not_a_face"]
    for part, count in (("train", 24), ("valid", 6)):
        for label, name in enumerate(EMOTIONS):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                angle = label * np.pi / 7
                wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.7 + draw.uniform(0, 6))
                plane = 127 + 80 * wave + draw.normal(0, 10, (48, 48))
                cv2.imwrite(str(folder / part / name / f"{number}.png"), np.clip(plane, 0, 255).astype(np.uint8))
    twin = (folder / "train" / "angry" / "0.png").read_bytes()
    (folder / "valid" / "angry" / "twin.png").write_bytes(twin)
    rows.append("train/angry/0.png,1,0,0,0,9,0,0,0,0,0")
    (folder / "votes.csv").write_text("\n".join(rows) + "\n")
    return folder


def _blob(draw: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for side in (0.3, 0.7):
        centre = (int(width * (side + draw.uniform(-0.04, 0.04))), int(height * draw.uniform(0.45, 0.55)))
        cv2.ellipse(mask, centre, (int(width * 0.13), int(height * 0.3)), 0, 0, 360, 255, -1)
    return mask


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark ellipses on grey: films of two hospitals."""
    folder = tmp_path_factory.mktemp("films")
    draw = np.random.default_rng(1)
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number in range(15):
        mask = _blob(draw, 160, 144)
        plane = np.where(mask > 0, 60, 180) + draw.normal(0, 12, mask.shape)
        name = f"{'MCUCXR' if number % 2 else 'CHNCXR'}_{number:04d}_0"
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), np.clip(plane, 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)
    return folder


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red people before blue noise."""
    folder = tmp_path_factory.mktemp("portraits")
    draw = np.random.default_rng(2)
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number in range(16):
        mask = np.zeros((128, 96), np.uint8)
        cv2.circle(mask, (48 + int(draw.integers(-8, 8)), 50), 20, 255, -1)
        cv2.ellipse(mask, (48, 128), (38, 55), 0, 0, 360, 255, -1)
        picture = draw.integers(0, 90, (128, 96, 3)).astype(np.uint8)
        picture[..., 0] += 120  # blue, as OpenCV writes it
        picture[mask > 0] = (40, 60, 210)
        cv2.imwrite(str(folder / "images" / f"{number:05d}.jpg"), picture)
        cv2.imwrite(str(folder / "masks" / f"{number:05d}.png"), mask)
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people, each a colour and a size of circle."""
    folder = tmp_path_factory.mktemp("people")
    draw = np.random.default_rng(3)
    for person in range(8):
        (folder / f"p{person}").mkdir()
        colour = draw.integers(40, 255, 3).tolist()
        for number in range(6):
            face = draw.integers(0, 40, (112, 112, 3)).astype(np.uint8)
            cv2.circle(face, (56 + int(draw.integers(-4, 4)), 56), 12 + 4 * person, colour, -1)
            cv2.imwrite(str(folder / f"p{person}" / f"{number}.jpg"), face)
    return folder
