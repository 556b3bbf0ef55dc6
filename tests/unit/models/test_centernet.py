"""The two networks inside CenterNet's graph: confidences for a whole picture, and features of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.engines.registry import open_engine
from sightline.errors import ModelError
from sightline.models.importers import centernet, find
from sightline.models.store import Store
from sightline.settings import Settings

RANDOM = np.random.default_rng(2)


def detector() -> Any:
    """A graph of CenterNet's shape: backbone, a neck that enlarges, maps of three labels."""
    neck = RANDOM.normal(0, 1, (4, 6, 1, 1)).astype(np.float32)
    head = RANDOM.normal(0, 1, (3, 4, 1, 1)).astype(np.float32)
    first = RANDOM.normal(0, 0.1, (6, 3, 4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["images"], ["rows"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["rows", "first"], ["wide"], strides=[4, 4]),
        helper.make_node("Relu", ["wide"], ["backbone"]),
        helper.make_node("Conv", ["backbone", "neck"], ["left"]),
        helper.make_node("Add", ["left", "left"], ["both"]),
        helper.make_node("Resize", ["both", "", "scales"], ["large"]),
        helper.make_node("Conv", ["large", "head"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["maps"]),
        helper.make_node("Transpose", ["maps"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Identity", ["last"], [centernet.MAPS]),
    ]
    constants = {"first": first, "neck": neck, "head": head, "scales": np.float32([1, 1, 2, 2])}
    return helper.make_model(
        helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 16, 16, 3])],
            [helper.make_tensor_value_info(centernet.MAPS, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> Any:
    model = detector()
    monkeypatch.setattr(centernet.TfjsImporter, "convert", lambda self, files, output: onnx.save(model, output))
    return model


def whole(model: Any, picture: np.ndarray, tensor: str, folder: Path) -> np.ndarray:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    onnx.save(made, folder / "whole.onnx")
    return np.asarray(open_engine("onnx", folder / "whole.onnx", Settings()).run(picture)[-1])


def test_a_label_s_confidence_is_its_highest_peak(converted: Any, tmp_path: Path) -> None:
    find("centernet-tags").convert({}, tmp_path / "tags.onnx")
    picture = RANDOM.normal(0, 1, (1, 16, 16, 3)).astype(np.float32)
    (got,) = open_engine("onnx", tmp_path / "tags.onnx", Settings()).run(picture)
    assert got == pytest.approx(whole(converted, picture, "maps", tmp_path).max(axis=(2, 3)), abs=1e-6)


def test_the_features_are_the_backbone_s_mean(converted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centernet, "SIDE", 16)
    find("centernet-features").convert({}, tmp_path / "features.onnx")
    pictures = RANDOM.normal(0, 1, (2, 16, 16, 3)).astype(np.float32)
    (got,) = open_engine("onnx", tmp_path / "features.onnx", Settings()).run(pictures)
    wanted = [whole(converted, row[None], "backbone", tmp_path).mean(axis=(2, 3))[0] for row in pictures]
    assert got == pytest.approx(np.stack(wanted), abs=1e-5)


@pytest.mark.parametrize("part", ["centernet-tags", "centernet-features"])
def test_a_graph_of_another_network(part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        ),
        ir_version=8,
    )
    monkeypatch.setattr(centernet.TfjsImporter, "convert", lambda self, files, output: onnx.save(other, output))
    with pytest.raises(ModelError, match="not CenterNet's"):
        find(part).convert({}, tmp_path / "out.onnx")


@pytest.mark.models
def test_the_real_features_tell_pictures_apart(portrait: np.ndarray) -> None:
    from sightline.architectures.registry import build

    settings = Settings.from_env()
    store = Store(settings)
    network = build(store.card("centernet-features"), store, settings)
    vector = network.vector(portrait)
    assert vector.shape == (480,)
    brighter = network.vector(np.clip(portrait.astype(int) + 12, 0, 255).astype(np.uint8))
    other = network.vector(portrait[::-1, ::-1].copy())
    assert np.linalg.norm(vector - brighter) < np.linalg.norm(vector - other)
