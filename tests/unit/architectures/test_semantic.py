"""Networks that name every pixel: real ONNX files, drawn pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.architectures.base import SemanticSegmenter
from sightline.architectures.selfie import Selfie
from sightline.architectures.semantic import Semantic, enlarged
from sightline.engines.onnx import OnnxEngine
from sightline.errors import InvalidCard
from sightline.settings import Settings
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

LABELS = ["background", "person", "dog"]
# Red is a person, green a dog, black neither.
COLOURS = np.array([[-1, -1, -1], [1, -1, -1], [-1, 1, -1]], np.float32)
BIAS = np.array([0.5, 0.0, 0.0], np.float32)


def network(path: Path, width: int, height: int, form: str) -> Path:
    """Scores by colour at half the input's size, as NCHW or NHWC, or the numbers of the best."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["half", "weights", "bias"], ["scores"], kernel_shape=[1, 1]),
    ]
    shape: list[Any] = [1, 3, height // 2, width // 2]
    kind, out = TensorProto.FLOAT, "scores"
    if form == "NHWC":
        nodes.insert(0, helper.make_node("Transpose", ["image"], ["x"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["scores"], ["last"], perm=[0, 2, 3, 1]))
        shape, out = [1, height // 2, width // 2, 3], "last"
    if form == "numbers":
        nodes.append(helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0))
        shape, kind, out = [1, height // 2, width // 2], TensorProto.INT64, "best"
    given = ["image", [1, height, width, 3]] if form == "NHWC" else ["x", [1, 3, height, width]]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(out, kind, shape)],
        [
            numpy_helper.from_array(COLOURS.reshape(3, 3, 1, 1), "weights"),
            numpy_helper.from_array(BIAS, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def semantic(tmp_path: Path, form: str = "NCHW", fit: str = "letterbox", labels: list[str] = LABELS) -> Semantic:
    path = network(tmp_path / "tiny.onnx", 64, 64, form)
    scale = [1 / 255] * 3
    spec = {"width": 64, "height": 64, "layout": "NHWC" if form == "NHWC" else "NCHW", "mean": [0.0] * 3}
    made = card(labels=labels, options={"fit": fit}, input={**spec, "scale": scale})
    return Semantic(made, OnnxEngine(path, Settings(cache=Path("unused"), threads=1)))


def photo(width: int, height: int) -> np.ndarray:
    """A person on the left quarter, a dog on the lower right quarter."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 4] = (255, 0, 0)
    pixels[height // 2 :, width * 3 // 4 :] = (0, 255, 0)
    return pixels


@pytest.mark.parametrize("form", ["NCHW", "NHWC", "numbers"])
@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(64, 64), (400, 200), (120, 480)])
def test_every_pixel_has_its_label_whatever_the_proportions(
    tmp_path: Path, form: str, fit: str, size: tuple[int, int]
) -> None:
    width, height = size
    found = semantic(tmp_path, form, fit).classes(photo(*size))
    full = enlarged(found, *size)
    assert full.dtype == np.uint8
    wanted = np.zeros((height, width), np.uint8)
    wanted[:, : width // 4] = 1
    wanted[height // 2 :, width * 3 // 4 :] = 2
    assert (full == wanted).mean() > 0.9
    assert full[height // 4, width // 16] == 1
    assert full[height * 7 // 8, width * 15 // 16] == 2
    assert full[height // 4, width // 2] == 0


def test_the_mask_of_people(tmp_path: Path) -> None:
    found = semantic(tmp_path)
    assert isinstance(found, SemanticSegmenter)
    mask = found.mask(photo(64, 64))
    assert mask.dtype == np.float32
    assert mask.mean() == pytest.approx(0.25)
    with pytest.raises(InvalidCard, match="no label 'person'"):
        semantic(tmp_path, labels=["sky", "sea", "land"]).mask(photo(64, 64))
    assert not isinstance(Selfie(card(), FakeEngine(lambda x: (x,), (1, 4, 4, 3))), SemanticSegmenter)


def test_cards_that_do_not_fit_their_network(tmp_path: Path) -> None:
    with pytest.raises(InvalidCard, match="its card names 2 labels"):
        semantic(tmp_path, labels=["a", "b"]).classes(photo(64, 64))
    with pytest.raises(InvalidCard, match="answers class 2"):
        semantic(tmp_path, "numbers", labels=["a", "b"]).classes(photo(64, 64))
    with pytest.raises(InvalidCard, match="names 1 labels"):
        semantic(tmp_path, labels=["a"])
    with pytest.raises(InvalidCard, match="one of letterbox, stretch"):
        semantic(tmp_path, fit="crop")
