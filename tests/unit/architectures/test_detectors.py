"""Detectors of things with their real weights, on real photos whose things are labelled."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline
from sightline.architectures.registry import build
from sightline.images.decode import read
from sightline.images.geometry import iou
from sightline.models.store import ZOO, Store
from sightline.settings import Settings

# Photos with large, plain things.
PHOTOS = ("000000030752", "000000037666", "000000054718", "000000069468")


@pytest.fixture(scope="module")
def labelled(shared: Path) -> dict[Path, list[tuple[str, np.ndarray]]]:
    """What is labelled on the photos: names and boxes (left, top, right, bottom) of 5,000 pixels and up."""
    facts = json.loads((shared / "coco_mini" / "instances.json").read_text())
    names = {kind["id"]: kind["name"] for kind in facts["categories"]}
    files = {entry["id"]: shared / "coco_mini" / "images" / entry["file_name"] for entry in facts["images"]}
    found: dict[Path, list[tuple[str, np.ndarray]]] = {}
    for note in facts["annotations"]:
        x, y, width, height = note["bbox"]
        if files[note["image_id"]].stem in PHOTOS and width * height >= 5000 and not note["iscrowd"]:
            box = np.array([x, y, x + width, y + height], np.float32)
            found.setdefault(files[note["image_id"]], []).append((names[note["category_id"]], box))
    return found


@pytest.fixture(scope="module")
def nano(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """YOLOX-Nano by its shipped card, the weights from the research data instead of from the network."""
    weights = shared.parent / "models" / "yolox_nano.onnx"
    if not weights.is_file():
        pytest.skip(f"no weights at {weights}")
    folder = tmp_path_factory.mktemp("models") / "yolox-nano"
    folder.mkdir()
    lines = (ZOO / "yolox-nano" / "card.toml").read_text("utf-8").splitlines()
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    changed = {"source": f'source = "file:{weights}"', "sha256": f'sha256 = "{digest}"'}
    changed["size"] = f"size = {weights.stat().st_size}"
    text = "\n".join(changed.get(line.partition(" ")[0], line) for line in lines)
    (folder / "card.toml").write_text(text, "utf-8")
    settings = Settings(cache=folder.parent / "cache", models=folder.parent)
    return sightline.load("detect", model="yolox-nano", settings=settings)


def share_found(task: Any, labelled: dict[Path, list[tuple[str, np.ndarray]]]) -> float:
    hits = total = 0
    for path, wanted in labelled.items():
        answer = task(path)
        for name, box in wanted:
            total += 1
            boxes = np.array([thing.box.corners for thing in answer.objects if thing.label == name], np.float32)
            hits += len(boxes) > 0 and bool((iou(box[None], boxes.reshape(-1, 4)) > 0.5).any())
    assert total >= 8
    return hits / total


def test_yolox_finds_what_is_labelled(nano: Any, labelled: dict[Path, list[tuple[str, np.ndarray]]]) -> None:
    assert share_found(nano, labelled) > 0.6


@pytest.mark.models
def test_centernet_finds_what_is_labelled(labelled: dict[Path, list[tuple[str, np.ndarray]]]) -> None:
    assert share_found(sightline.load("detect", model="centernet"), labelled) > 0.6


def test_tiles_find_small_things(nano: Any, shared: Path, tmp_path: Path) -> None:
    """Four photos on one sheet, each a quarter of the side: more is found with a closer look."""
    from PIL import Image

    sheet = Image.new("RGB", (2400, 1800), (90, 110, 90))
    for index, name in enumerate(PHOTOS):
        photo = Image.open(shared / "coco_mini" / "images" / f"{name}.jpg")
        sheet.paste(photo.resize((240, 180)), (200 + 560 * index, 150 + 420 * index))
    whole, closer = (nano(sheet, tiles=tiles).objects for tiles in (False, True))
    assert len(closer) > len(whole)
    assert {"person", "elephant"} <= {thing.label for thing in closer}


def test_the_shipped_detector_needs_nothing(shared: Path, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path, offline=True)
    hog = build(Store(settings).card("hog-people"), Store(settings), settings)
    hog.warm()
    pixels = read(shared / "coco_mini" / "images" / "000000030752.jpg").pixels
    person = hog.detect(pixels)[0]
    assert person.label == "person"
    assert iou(np.array([person.box.corners], np.float32), np.array([[225, 50, 330, 400]], np.float32))[0, 0] > 0.4
    for shape in ((1, 1), (3, 900), (900, 3), (128, 64)):
        assert hog.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_a_card_is_all_that_a_yolo_export_needs(tmp_path: Path) -> None:
    """The card of docs/detect.md with a network that sees one bolt, whatever it is shown."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    docs = (Path(__file__).parents[3] / "docs" / "detect.md").read_text("utf-8")
    text = docs.partition("```toml\n")[2].partition("```")[0]
    rows = np.zeros((1, 6, 9), np.float32)
    rows[0, :, 4] = [320, 320, 64, 128, 0.1, 0.9]
    constant = numpy_helper.from_array(rows, "rows")
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["most"], keepdims=1),
        helper.make_node("Squeeze", ["most"], ["bright"]),
        helper.make_node("Mul", ["rows", "bright"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bolt",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 640, 640])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, 9])],
        [constant],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    folder = tmp_path / "models" / "my-yolo"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "best.onnx")
    content = (folder / "best.onnx").read_bytes()
    text = text.replace('sha256 = "..."', f'sha256 = "{hashlib.sha256(content).hexdigest()}"')
    (folder / "card.toml").write_text(text.replace("12345678", str(len(content))), "utf-8")
    settings = Settings(cache=tmp_path, models=tmp_path / "models", offline=True)
    task = sightline.load("detect", model="my-yolo", settings=settings)
    # White is 1.0 in the network's eyes; the photo lies in the middle of the square, at twice its size.
    (bolt,) = task(np.full((240, 320, 3), 255, np.uint8)).objects
    assert bolt.label == "bolt"
    assert bolt.confidence == pytest.approx(0.9, abs=1e-5)
    assert bolt.box.corners == pytest.approx((144, 88, 176, 152), abs=0.01)
