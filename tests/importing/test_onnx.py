"""ONNX files: a fixed batch set free, other ends than float32, classes, weights beside the file. No extra is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.errors import InvalidOption, ModelError
from tests.importing.shelf import Command, Shelf

RANDOM = np.random.default_rng(11)


def graph(nodes: list[Any], shape: list[Any], out: list[Any], kind: int = TensorProto.FLOAT, **weights: Any) -> Any:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    constants = [
        numpy_helper.from_array(np.asarray(value, np.int64 if name.startswith("size") else dtype), name)
        for name, value in weights.items()
    ]
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, out)],
        constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def same(kind: str, shape: list[Any]) -> Any:
    """One operator whose answer has the shape of its picture."""
    return graph([helper.make_node(kind, ["x"], ["y"])], shape, shape)


def classifier(batch: Any = 1, kind: int = TensorProto.FLOAT) -> Any:
    """A convolution, a Reshape that names its batch, and a layer of seven logits."""
    random = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], strides=[8, 8]),
        helper.make_node("Reshape", ["c", "size"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = {"k": random.normal(0, 0.3, (4, 1, 8, 8)), "w": random.normal(0, 0.2, (144, 7))}
    return graph(nodes, [batch, 1, 48, 48], [batch, 7], kind, size=[1, 144], **weights)


def by_onnx_runtime(model: Any, batch: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": row[None]})[0] for row in batch])


def test_a_fixed_batch_is_set_free(shelf: Shelf, tmp_path: Path) -> None:
    model = classifier()
    onnx.save(model, tmp_path / "net.onnx")
    shelf.bring(tmp_path / "net.onnx", "emotion")
    engine = shelf.engine("net")
    assert engine.inputs[0].shape == (None, 1, 48, 48)
    batch = RANDOM.random((6, 1, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(engine.run(batch)[0], by_onnx_runtime(model, batch), atol=1e-5)


def test_a_batch_that_is_free_by_name_only(shelf: Shelf, tmp_path: Path) -> None:
    """Exporters that trace write `n` at the ends and keep the traced size in the middle."""
    onnx.save(classifier("n"), tmp_path / "net.onnx")
    shelf.bring(tmp_path / "net.onnx", "emotion")
    batch = RANDOM.random((4, 1, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(shelf.engine("net").run(batch)[0], by_onnx_runtime(classifier(), batch), atol=1e-5)


def test_half_precision_is_float32_outside(shelf: Shelf, tmp_path: Path) -> None:
    model = classifier(kind=TensorProto.FLOAT16)
    onnx.save(model, tmp_path / "net.onnx")
    shelf.bring(tmp_path / "net.onnx", "emotion")
    engine = shelf.engine("net")
    assert engine.inputs[0].dtype == engine.outputs[0].dtype == np.float32
    batch = RANDOM.random((2, 1, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(engine.run(batch)[0], by_onnx_runtime(model, batch.astype(np.float16)), atol=0.02)


def resizing(size: int = 32) -> Any:
    """A mask network whose Resize names the whole size, batch included."""
    kernel = np.random.default_rng(2).normal(0, 0.5, (1, 3, 4, 4))
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], strides=[4, 4]),
        helper.make_node("Resize", ["c", "", "", "size"], ["r"], mode="linear"),
        helper.make_node("Sigmoid", ["r"], ["y"]),
    ]
    return graph(nodes, [1, 3, size, size], [1, 1, size, size], k=kernel, size=[1, 1, size, size])


def test_a_resize_to_a_constant_size(shelf: Shelf, tmp_path: Path) -> None:
    model = resizing()
    onnx.save(model, tmp_path / "net.onnx")
    shelf.bring(tmp_path / "net.onnx", "lungs")
    batch = RANDOM.random((3, 3, 32, 32)).astype(np.float32)
    np.testing.assert_allclose(shelf.engine("net").run(batch)[0], by_onnx_runtime(model, batch), atol=1e-5)


def stubborn(out: list[int], tail: list[Any], **weights: Any) -> Any:
    """The batch of one is in the arithmetic: the picture is added up along it."""
    nodes = [helper.make_node("ReduceSum", ["x", "size_axes"], ["s"], keepdims=1), *tail]
    return graph(nodes, [1, 1, 16, 16], out, size_axes=[0], **weights)


def test_a_batch_that_cannot_be_freed(shelf: Shelf, tmp_path: Path) -> None:
    """A mask is asked for one picture at a time, so the file serves as it is; faces are asked for together."""
    onnx.save(stubborn([1, 1, 16, 16], [helper.make_node("Sigmoid", ["s"], ["y"])]), tmp_path / "mask.onnx")
    done = shelf.bring(tmp_path / "mask.onnx", "lungs")
    assert any("one picture at a time" in note for note in done.notes)
    assert shelf.engine("mask").inputs[0].shape[0] == 1
    tail = [
        helper.make_node("Flatten", ["s"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = np.random.default_rng(0).normal(0, 0.1, (256, 7))
    onnx.save(stubborn([1, 7], tail, w=weights), tmp_path / "faces.onnx")
    with pytest.raises(ModelError, match="built for a batch of 1"):
        shelf.bring(tmp_path / "faces.onnx", "emotion")


def test_one_class_of_several(shelf: Shelf, tmp_path: Path) -> None:
    weights = np.random.default_rng(4).normal(0, 0.5, (4, 3, 1, 1))
    onnx.save(
        graph([helper.make_node("Conv", ["x", "k"], ["y"])], ["n", 3, 24, 24], ["n", 4, 24, 24], k=weights),
        tmp_path / "net.onnx",
    )
    with pytest.raises(InvalidOption, match="4 classes"):
        shelf.bring(tmp_path / "net.onnx", "background")
    (tmp_path / "labels.json").write_text(json.dumps({"sky": 0, "dog": 1, "Person": 2, "tree": 3}))
    shelf.bring(tmp_path / "net.onnx", "background", labels=tmp_path / "labels.json")
    pixels = RANDOM.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    logits = np.einsum("hwc,oc->hwo", pixels / 255, weights[:, :, 0, 0])
    wanted = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(shelf.architecture("net").mask(pixels), wanted[..., 2], atol=1e-5)


def test_a_siamese_file_without_any_framework(shelf: Shelf, tmp_path: Path) -> None:
    weights = np.random.default_rng(4).normal(0, 0.1, (192, 10)).astype(np.float32)
    nodes = [
        *(
            helper.make_node(kind, [source, *more], [out])
            for side in "ab"
            for kind, source, more, out in (
                ("Flatten", side, [], f"{side}f"),
                ("MatMul", f"{side}f", ["w"], f"{side}w"),
                ("Tanh", f"{side}w", [], f"{side}t"),
            )
        ),
        helper.make_node("Sub", ["at", "bt"], ["d"]),
        helper.make_node("ReduceL2", ["d"], ["y"], axes=[1], keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info(side, TensorProto.FLOAT, ["n", 8, 8, 3]) for side in "ab"],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "pair.onnx")
    shelf.bring(tmp_path / "pair.onnx", "similarity")
    siamese = shelf.architecture("pair")
    pictures = RANDOM.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    vectors = np.tanh(pictures.reshape(2, -1) / 255 @ weights)
    np.testing.assert_allclose(siamese.embed(pictures), vectors, atol=1e-5)
    assert siamese.distance(*siamese.embed(pictures)) == pytest.approx(
        np.linalg.norm(vectors[0] - vectors[1]), rel=1e-4
    )


def test_weights_beside_the_file(shelf: Shelf, tmp_path: Path) -> None:
    """Large exports keep them apart; one file comes of both. A name that leads elsewhere is not followed."""
    folder = tmp_path / "export"
    folder.mkdir()
    onnx.save(
        classifier(), folder / "net.onnx", save_as_external_data=True, location="net.onnx.data", size_threshold=100
    )
    shelf.bring(folder / "net.onnx", "emotion")
    assert [path.name for path in sorted((shelf.folder / "net").iterdir())] == ["card.toml", "model.onnx"]

    secret = tmp_path / "secret"
    secret.write_bytes((folder / "net.onnx.data").read_bytes())
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for item in tensor.external_data:
            if item.key == "location":
                item.value = "../secret"
    (folder / "evil.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="not a file beside it"):
        shelf.bring(folder / "evil.onnx", "emotion")
    (folder / "net.onnx.data").unlink()
    (folder / "net.onnx.data").symlink_to(secret)
    with pytest.raises(ModelError, match="not a file beside it"):
        shelf.bring(folder / "net.onnx", "emotion", name="linked")


def test_nothing_of_the_machine_that_exported_stays(shelf: Shelf, tmp_path: Path) -> None:
    model = classifier()
    model.doc_string = "made in /home/somebody"
    model.metadata_props.add(key="where", value="/home/somebody")
    model.graph.doc_string = model.graph.node[0].doc_string = "/home/somebody/net.py, line 3"
    model.graph.node[0].metadata_props.add(key="trace", value="/home/somebody/net.py")
    model.graph.input[0].doc_string = model.graph.initializer[0].doc_string = "/home/somebody"
    onnx.save(model, tmp_path / "net.onnx")
    shelf.bring(tmp_path / "net.onnx", "emotion")
    assert b"somebody" not in (shelf.folder / "net" / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (graph([helper.make_node("Identity", ["x"], ["y"])], ["n", 5], ["n", 5]), "pictures are batch"),
        (graph([helper.make_node("Identity", ["x"], ["y"])], ["n", 3, "h", "w"], ["n", 3, "h", "w"]), "fixed size"),
        (
            graph([helper.make_node("Identity", ["x"], ["y"])], ["n", 4, 8, 8], ["n", 4, 8, 8]),
            "neither 1 nor 3 channels",
        ),
        (graph([helper.make_node("Acosh", ["x"], ["y"])], ["n", 1, 8, 8], ["n", 1, 8, 8]), "not finite"),
    ],
)
def test_networks_that_take_or_give_no_pictures(shelf: Shelf, tmp_path: Path, model: Any, words: str) -> None:
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=words):
        shelf.bring(tmp_path / "net.onnx", "lungs")
    assert shelf.is_empty()


def test_operators_that_no_engine_has(shelf: Shelf, tmp_path: Path) -> None:
    model = graph([helper.make_node("Magic", ["x"], ["y"], domain="acme")], ["n", 1, 8, 8], ["n", 1, 8, 8])
    model.opset_import.append(helper.make_opsetid("acme", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="operators of acme"):
        shelf.bring(tmp_path / "net.onnx", "lungs")


def test_a_shipped_name_is_taken_only_on_purpose(shelf: Shelf, tmp_path: Path) -> None:
    onnx.save(resizing(), tmp_path / "selfie.onnx")
    with pytest.raises(InvalidOption, match="name of a shipped model"):
        shelf.bring(tmp_path / "selfie.onnx", "background")
    done = shelf.bring(tmp_path / "selfie.onnx", "background", name="selfie")
    assert shelf.card("selfie").identity.sha256 == done.sha256


@pytest.mark.parametrize("name", ["../up", "Capital", "", "a b", "x" * 65])
def test_names_that_cannot_be(shelf: Shelf, tmp_path: Path, name: str) -> None:
    onnx.save(resizing(), tmp_path / "net.onnx")
    (tmp_path / "card.toml").write_text(f"name = {json.dumps(name)}\n")
    with pytest.raises(InvalidOption, match="lower-case letters"):
        shelf.bring(tmp_path / "net.onnx", "background", card=tmp_path / "card.toml")


def test_samples(shelf: Shelf, tmp_path: Path, portrait_jpeg: Path) -> None:
    """Real pictures of the user's: one that cannot be read is passed over; a folder without any is an error."""
    onnx.save(resizing(), tmp_path / "net.onnx")
    samples = tmp_path / "samples"
    samples.mkdir()
    with pytest.raises(InvalidOption, match="no picture that can be read"):
        shelf.bring(tmp_path / "net.onnx", "background", samples=samples)
    (samples / "torn.jpg").write_bytes(portrait_jpeg.read_bytes()[:500])
    (samples / "portrait.jpg").write_bytes(portrait_jpeg.read_bytes())
    done = shelf.bring(tmp_path / "net.onnx", "background", samples=samples)
    assert done.parity.real == 1


def test_the_command_tells_what_was_done(command: Command, tmp_path: Path) -> None:
    onnx.save(classifier(), tmp_path / "net.onnx")
    done = command("import", tmp_path / "net.onnx", "--task", "emotion")
    assert (done.returncode, done.stderr) == (0, "")
    assert "largest difference" in done.stdout
    assert "ONNX, for emotion (expression on onnx)" in done.stdout
    for arguments, code in (
        (["none.onnx", "--task", "emotion"], 2),
        ([tmp_path / "net.onnx", "--task", "emotions"], 2),
        ([tmp_path / "net.onnx", "--task", "lungs", "--name", "x"], 1),
        ([tmp_path / "net.onnx", "--task", "emotion", "--name", "x", "--crop", "round"], 2),
    ):
        failed = command("import", *arguments)
        assert (failed.returncode, failed.stdout) == (code, "")
        (line,) = failed.stderr.splitlines()
        assert line.startswith("sightline: ")


def test_a_network_that_answers_every_picture_alike(shelf: Shelf, tmp_path: Path) -> None:
    """A comparison of nothing is said to be one."""
    nodes = [helper.make_node("Mul", ["x", "zero"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    onnx.save(graph(nodes, ["n", 1, 8, 8], ["n", 1, 8, 8], zero=[0]), tmp_path / "dead.onnx")
    done = shelf.bring(tmp_path / "dead.onnx", "lungs")
    assert any("says little" in note for note in done.notes)
    onnx.save(resizing(), tmp_path / "live.onnx")
    assert not any("says little" in note for note in shelf.bring(tmp_path / "live.onnx", "lungs").notes)
