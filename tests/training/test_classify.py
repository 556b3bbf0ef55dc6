"""Recipe `classify`, end to end on drawn pictures, and the network it leaves as the task serves it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import sightline
from sightline.evaluation.classify import evaluate
from sightline.training import train
from sightline.training.datasets import DataError
from sightline.training.nets.deeplabv3plus import DeepLabV3Plus
from sightline.training.nets.picture import PictureNet
from sightline.training.recipes.classify import load_backbone, read_pictures

from .test_recipes import check, quiet

SHAPES = ("disc", "none_of_these", "square", "stripes")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shapes in any colours, and noise that is none of them; pictures of several proportions."""
    folder, draw = tmp_path_factory.mktemp("shapes"), np.random.default_rng(5)
    for shape in SHAPES:
        (folder / shape).mkdir()
        for number in range(40 if shape != "none_of_these" else 4):
            width = int(draw.integers(90, 150))
            picture = np.clip(draw.normal(60, 12, (110, width, 3)), 0, 255).astype(np.uint8)
            colour = draw.integers(150, 255, 3).tolist()
            x, y, reach = int(draw.integers(40, width - 40)), int(draw.integers(40, 70)), int(draw.integers(18, 30))
            if shape == "disc":
                cv2.circle(picture, (x, y), reach, colour, -1)
            elif shape == "square":
                cv2.rectangle(picture, (x - reach, y - reach), (x + reach, y + reach), colour, -1)
            elif shape == "stripes":
                picture[:, np.arange(width) // 8 % 2 == number % 2] = colour
            cv2.imwrite(str(folder / shape / f"{number}.png"), picture)
    return folder


@pytest.mark.timeout(600)  # it trains twice
def test_a_network_learns_shapes_and_serves(shapes: Path, tmp_path: Path) -> None:
    out, start = tmp_path / "My Shapes", tmp_path / "start.pt"
    torch.manual_seed(3)
    torch.save(PictureNet(9).state_dict(), start)
    outcome = train("classify", shapes, out, epochs=8, progress=quiet, backbone=start)
    card = check(outcome, (3, 128, 128), 4)
    assert (card["name"], card["tasks"], card["labels"]) == ("my-shapes", ["classify"], ["disc", "square", "stripes"])
    values = {line["metric"]: line["value"] for line in card["figures"]}
    assert values["top1"] > 0.5
    assert values["top5"] == 1
    assert "--backbone BACKBONE" in card["figures"][0]["command"]
    task = sightline.load("classify", model=str(out))
    answer = task(shapes / "stripes" / "0.png")
    assert answer.labels[0].name == "stripes"
    assert sum(label.confidence for label in answer.labels) == pytest.approx(1, abs=1e-3)
    assert answer.none_of_these is None
    got = evaluate(task, shapes, 1)  # type: ignore[arg-type]
    assert (got["n"], got["n_none"], got["none_found"]) == (120, 4, 0)
    assert got["top1"] > 0.5


def test_a_backbone_of_another_recipe_starts_this_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    person, model = DeepLabV3Plus(), PictureNet(3)
    torch.save({"model": person.state_dict(), "average": person.state_dict()}, tmp_path / "checkpoint.pt")
    load_backbone(model, tmp_path / "checkpoint.pt")
    for name, tensor in person.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor)
    torch.save({"backbone.nothing": torch.zeros(3)}, tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"no checkpoint")
    for name in ("other.pt", "broken.pt"):
        with pytest.raises(DataError, match=name):
            load_backbone(model, tmp_path / name)


def test_parts_do_not_share_pictures(shapes: Path, tmp_path: Path) -> None:
    parts = read_pictures(shapes)
    names = [set(part.names) for part in (parts.train, parts.tune, parts.valid)]
    assert sum(map(len, names)) == 120 == len(set.union(*names))
    for part in ("train", "valid"):
        for label in ("disc", "square"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / label).symlink_to(shapes / label)
    with pytest.raises(DataError, match="too few"):  # every picture to quote is one to learn from
        read_pictures(tmp_path)


def test_data_that_cannot_be_learnt_from(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(DataError, match="fewer than two"):
        read_pictures(tmp_path)
    (tmp_path / "two").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        read_pictures(tmp_path)
    for label in ("one", "two"):
        (tmp_path / label / "0.png").write_bytes((shapes / "disc" / "0.png").read_bytes())
    with pytest.raises(DataError, match="too few"):
        read_pictures(tmp_path)
    (tmp_path / "two" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"two/1\.png"):
        read_pictures(tmp_path)
