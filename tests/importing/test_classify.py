"""Classifiers of any labels, as timm and everybody's class folders export them: whole pictures in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import sightline
from sightline.errors import InvalidOption, ModelError
from tests.importing.shelf import Shelf

MEAN, DEVIATION = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


def colours(out: int = 3) -> onnx.ModelProto:
    """A fixed batch of one, ImageNet's standardised pixels, 64 x 64: logits of red, green and blue."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    weights = numpy_helper.from_array(np.eye(3, out, dtype=np.float32) * 2, "w")
    ends = (("x", [1, 3, 64, 64]), ("y", [1, out]))
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    graph = helper.make_graph(nodes, "net", made[:1], made[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """What a timm configuration says: mean, std, crop_pct, interpolation."""
    lines = [
        "[input]",
        f"mean = {MEAN.tolist()}",
        f"scale = {(1 / DEVIATION).tolist()}",
        "[options]",
        "crop = 0.95",
        'filter = "bicubic"',
    ]
    (tmp_path / "known.toml").write_text("\n".join(lines) + "\n")
    return tmp_path / "known.toml"


def test_a_timm_style_export_names_pictures(shelf: Shelf, card: Path, tmp_path: Path) -> None:
    onnx.save(colours(), tmp_path / "net.onnx")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    done = shelf.bring(tmp_path / "net.onnx", "classify", labels=tmp_path / "labels.txt", card=card)
    assert (done.architecture, shelf.card("net").labels) == ("classifier", ("red", "green", "blue"))
    assert shelf.card("net").options["crop"] == 0.95
    assert done.parity.largest < 1e-5
    picture = np.zeros((80, 200, 3), np.uint8)
    picture[:, :60], picture[:, 140:] = (255, 0, 0), (255, 0, 0)
    picture[:, 60:140] = (10, 220, 30)  # all that the middle shows
    answer = sightline.load("classify", model="net", settings=shelf.settings)(Image.fromarray(picture))
    logits = 2 * (np.float32([10, 220, 30]) - MEAN) / DEVIATION
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert {label.name: label.confidence for label in answer.labels} == pytest.approx(
        dict(zip(("red", "green", "blue"), wanted, strict=True)), abs=1e-3
    )


def test_labels_have_to_be_named(shelf: Shelf, tmp_path: Path) -> None:
    onnx.save(colours(), tmp_path / "net.onnx")
    with pytest.raises(InvalidOption, match="answers 3 numbers: --labels"):
        shelf.bring(tmp_path / "net.onnx", "classify")
    onnx.save(colours(out=1), tmp_path / "one.onnx")
    with pytest.raises(ModelError, match="one number a label"):
        shelf.bring(tmp_path / "one.onnx", "classify")
    assert shelf.is_empty()
