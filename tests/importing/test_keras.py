"""Whole Keras models: what Keras 2 and 3 wrote answers here as it did there; what carries code is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import InvalidOption, ModelError
from tests.importing.shelf import Command, Shelf

pytestmark = pytest.mark.usefixtures("keras")


def emotion_net(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(4),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(7, activation="softmax"),
        ]
    )


def grey(pictures: np.ndarray) -> np.ndarray:
    import cv2

    return np.stack([cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in pictures])[..., None].astype(np.float32) / 255


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_model_of_today(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray, suffix: str) -> None:
    model = emotion_net(keras)
    model.compile("adam", loss="categorical_crossentropy")
    file = tmp_path / f"My Net.{suffix}"
    model.save(file)
    done = shelf.bring(file, "emotion")
    assert done.name == "my-net"
    assert done.parity.largest < 1e-5
    scores = shelf.architecture("my-net").scores(faces)
    np.testing.assert_allclose(scores, model.predict(grey(faces), verbose=0), atol=1e-5)
    card = shelf.card("my-net")
    assert card.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert (card.input.colour, card.input.layout, card.input.width) == ("L", "NHWC", 48)
    assert card.shipped  # its file lies beside it and matches its hash
    assert shelf.engine("my-net").inputs[0].shape[0] is None


def test_a_sequential_model_of_keras_2(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray) -> None:
    from tests.importing import keras2

    random = np.random.default_rng(0)
    kernel, bias = random.normal(0, 0.2, (3, 3, 1, 4)), random.normal(0, 0.1, 4)
    gamma, beta, mean, variance = random.uniform(0.5, 1.5, (4, 4))
    weight, offset = random.normal(0, 0.05, (48 * 48 * 4 // 16, 7)), random.normal(0, 0.1, 7)
    norm = keras2.layer(
        "BatchNormalization",
        "norm",
        axis=[3],  # the form in which Keras 2 kept it
        momentum=0.99,
        epsilon=0.001,
        center=True,
        scale=True,
        beta_initializer=keras2.initializer("Zeros"),
        gamma_initializer=keras2.initializer("Ones"),
        moving_mean_initializer=keras2.initializer("Zeros"),
        moving_variance_initializer=keras2.initializer("Ones"),
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
    )
    pool = keras2.layer(
        "MaxPooling2D", "pool", pool_size=[4, 4], padding="valid", strides=[4, 4], data_format="channels_last"
    )
    config = keras2.sequential(
        "old",
        (48, 48, 1),
        keras2.convolution("conv", 4),
        norm,
        pool,
        keras2.layer("Dropout", "drop", rate=0.25, noise_shape=None, seed=None),
        keras2.layer("Flatten", "flat", data_format="channels_last"),
        keras2.dense("out", 7, "softmax"),
    )
    keras2.write(
        tmp_path / "old.h5",
        config,
        {
            "conv": [("kernel", kernel), ("bias", bias)],
            "norm": [("gamma", gamma), ("beta", beta), ("moving_mean", mean), ("moving_variance", variance)],
            "pool": [],
            "drop": [],
            "flat": [],
            "out": [("kernel", weight), ("bias", offset)],
        },
    )
    done = shelf.bring(tmp_path / "old.h5", "emotion")
    assert "Keras 2.4.0" in done.format

    # The same arithmetic in NumPy, with no Keras in it.
    x = grey(faces)[..., 0].astype(np.float64)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    hidden = np.maximum(np.einsum("nhwij,ijc->nhwc", windows, kernel[:, :, 0]) + bias, 0)
    hidden = (hidden - mean) / np.sqrt(variance + 0.001) * gamma + beta
    pooled = hidden.reshape(len(x), 12, 4, 12, 4, 4).max(axis=(2, 4))
    logits = pooled.reshape(len(x), -1) @ weight + offset
    wanted = np.exp(logits - logits.max(1, keepdims=True))
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(shelf.architecture("old").scores(faces), wanted, atol=1e-5)


def test_a_mask_network_of_keras_2(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    """Members that Keras 3 refuses (`groups` of depthwise and transposed convolutions) do not stop an old file."""
    from tests.importing import keras2

    random = np.random.default_rng(1)
    common = {
        key: value
        for key, value in keras2.convolution("x", 1)["config"].items()
        if key
        not in (
            "name",
            "trainable",
            "dtype",
            "filters",
            "kernel_initializer",
            "kernel_regularizer",
            "kernel_constraint",
        )
    }
    depthwise = keras2.layer(
        "DepthwiseConv2D",
        "depth",
        **{**common, "strides": [2, 2]},
        depth_multiplier=1,
        depthwise_initializer=keras2.initializer(),
        depthwise_regularizer=None,
        depthwise_constraint=None,
    )
    up = keras2.convolution("up", 2, strides=[2, 2], output_padding=None)
    up["class_name"] = "Conv2DTranspose"
    join = keras2.layer("Concatenate", "join", axis=-1)
    out = keras2.convolution("out", 1, kernel_size=[1, 1], activation="sigmoid")
    config = keras2.functional(
        (32, 32, 3), (depthwise, ["picture"]), (up, ["depth"]), (join, ["up", "picture"]), (out, ["join"])
    )
    weights = {
        "picture": [],
        "depth": [("depthwise_kernel", random.normal(0, 0.4, (3, 3, 3, 1))), ("bias", random.normal(0, 0.1, 3))],
        "up": [("kernel", random.normal(0, 0.4, (3, 3, 2, 3))), ("bias", random.normal(0, 0.1, 2))],
        "join": [],
        "out": [("kernel", random.normal(0, 0.5, (1, 1, 5, 1))), ("bias", [0.1])],
    }
    keras2.write(tmp_path / "seg.h5", config, weights)
    shelf.bring(tmp_path / "seg.h5", "background")

    layers = keras.layers
    picture = keras.Input((32, 32, 3))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(picture)
    x = layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(picture, layers.Conv2D(1, 1, activation="sigmoid")(layers.Concatenate()([x, picture])))
    model.set_weights([np.asarray(value, np.float32) for values in weights.values() for _, value in values])
    pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    wanted = model.predict(pixels[None].astype(np.float32) / 255, verbose=0)[0, ..., 0]
    np.testing.assert_allclose(shelf.architecture("seg").mask(pixels), wanted, atol=1e-5)


def test_convolutional_lstm(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    """BCDU-Net's join: its states are made for the batch at hand, which cannot be traced, and still any batch works."""
    layers = keras.layers
    picture = keras.Input((16, 16, 1))
    first, second = (layers.Conv2D(4, 3, padding="same", activation="relu")(picture) for _ in range(2))
    both = layers.Concatenate(axis=1)([layers.Reshape((1, 16, 16, 4))(part) for part in (first, second)])
    x = layers.ConvLSTM2D(3, 3, padding="same", go_backwards=True)(both)
    model = keras.Model(picture, layers.Conv2D(1, 1, activation="sigmoid")(x))
    model.save(tmp_path / "lungs.h5")
    assert shelf.bring(tmp_path / "lungs.h5", "lungs").parity.largest < 1e-5
    batch = np.random.default_rng(2).random((5, 16, 16, 1)).astype(np.float32)
    (answer,) = shelf.engine("lungs").run(batch)
    np.testing.assert_allclose(answer, model.predict(batch, verbose=0), atol=1e-5)


def test_a_network_that_scales_pixels_itself(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray) -> None:
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), keras.layers.Rescaling(1 / 127.5, -1), *emotion_net(keras).layers]
    )
    model.save(tmp_path / "net.keras")
    done = shelf.bring(tmp_path / "net.keras", "emotion")
    assert any("0..255" in note for note in done.notes)
    np.testing.assert_allclose(
        shelf.architecture("net").scores(faces), model.predict(grey(faces) * 255, verbose=0), atol=1e-5
    )


def test_the_users_card_and_labels_decide(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray) -> None:
    model = emotion_net(keras)
    model.save(tmp_path / "net.h5")
    (tmp_path / "labels.txt").write_text("Happiness\nsad\nanger\nfear\nneutral\ndisgust\nsurprised\n")
    (tmp_path / "card.toml").write_text(
        'version = "2.1"\ntraining_data = "Our own."\n[input]\nmean = [127.5]\nscale = [0.00784313725490196]\n'
        '[licence]\nspdx = "CC-BY-4.0"\nholder = "Us"\n[options]\nmargin = 1.2\n'
    )
    shelf.bring(
        tmp_path / "net.h5", "emotion", name="ours", labels=tmp_path / "labels.txt", card=tmp_path / "card.toml"
    )
    card = shelf.card("ours")
    assert card.labels == ("happy", "sad", "angry", "fear", "neutral", "disgust", "surprise")
    assert (card.version, card.training_data, card.options["margin"]) == ("2.1", "Our own.", 1.2)
    assert (card.licence.spdx, card.licence.holder, card.licence.note) == ("CC-BY-4.0", "Us", "")
    np.testing.assert_allclose(
        shelf.architecture("ours").scores(faces), model.predict(grey(faces) * 2 - 1, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("not toml", "invalid_option"),
        ("unknown = 1", "invalid_option"),
        ("[[files]]\npath='x'", "invalid_option"),
        ("input = 3", "invalid_option"),
        ("[input]\nwidth = 47", "invalid_option"),
        ("[input]\nmean = [1, 2]\nscale = [1]", "invalid_option"),
        ("[licence]\nspdx = ''", "invalid_option"),
    ],
)
def test_a_card_that_cannot_be(keras: Any, shelf: Shelf, tmp_path: Path, card: str, code: str) -> None:
    emotion_net(keras).save(tmp_path / "net.h5")
    (tmp_path / "card.toml").write_text(card)
    with pytest.raises(InvalidOption) as caught:
        shelf.bring(tmp_path / "net.h5", "emotion", card=tmp_path / "card.toml")
    assert caught.value.code == code
    assert shelf.is_empty()


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_lambda_needs_trust(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray, suffix: str) -> None:
    inner = emotion_net(keras)
    model = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            keras.layers.Lambda(lambda x: x * 0.5, output_shape=(48, 48, 1), name="halve"),
            inner,
        ]
    )
    file = tmp_path / f"net.{suffix}"
    model.save(file)
    with pytest.raises(ModelError, match=r"'halve'.*Python code.*--trust"):
        shelf.bring(file, "emotion")
    assert shelf.is_empty()
    shelf.bring(file, "emotion", trust=True)
    np.testing.assert_allclose(
        shelf.architecture("net").scores(faces), model.predict(grey(faces), verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"class_name": "DistanceLayer", "config": {"name": "mine"}}, "'mine'.*not Keras's own"),
        (
            {"class_name": "TFOpLambda", "config": {"name": "tf.subtract", "function": "math.subtract"}},
            "only TensorFlow",
        ),
        ({"class_name": "Lambda", "config": {"name": "l", "function": ["x", None, None]}}, "Python code"),
        ({"class_name": "StringLookup", "config": {"name": "s", "vocabulary": "/etc/passwd"}}, "no part of a network"),
        ({"class_name": "Dense", "module": "os", "config": {"name": "d"}}, "module 'os'"),
        ({"class_name": "Dense", "module": "keras_evil.layers", "config": {"name": "d"}}, "module 'keras_evil.layers'"),
        ({"class_name": "function", "module": "builtins", "config": "eval"}, "function 'eval'"),
        ({"class_name": "__lambda__", "config": {"code": "x"}}, "not Keras's own"),
        ({"class_name": "TorchModuleWrapper", "config": {"name": "t"}}, "pickled"),
        ({"class_name": ["Dense"], "config": {}}, "no text"),
    ],
)
@pytest.mark.parametrize("where", ["h5", "keras"])
def test_configurations_that_name_more_than_keras_has(
    keras: Any, shelf: Shelf, tmp_path: Path, layer: dict[str, Any], words: str, where: str
) -> None:
    from tests.importing import keras2

    config = keras2.sequential("net", (48, 48, 1), keras2.dense("out", 7, "softmax"))
    hidden = config["config"]["layers"][1]["config"]
    hidden["kernel_initializer"] = layer  # anywhere in the tree, not only among the layers
    file = tmp_path / f"net.{where}"
    if where == "h5":
        keras2.write(file, config, {})
    else:
        emotion_net(keras).save(file)
        with zipfile.ZipFile(file) as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(file, "w") as new:
            for name, data in members.items():
                new.writestr(name, json.dumps(config) if name == "config.json" else data)
    with pytest.raises(ModelError, match=words):
        shelf.bring(file, "emotion")
    assert shelf.is_empty()


def test_outputs_that_are_not_the_tasks(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    layers = keras.layers
    keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(5)]).save(tmp_path / "five.h5")
    with pytest.raises(ModelError, match="7 labels"):
        shelf.bring(tmp_path / "five.h5", "emotion")
    with pytest.raises(ModelError, match="one number a pixel"):
        shelf.bring(tmp_path / "five.h5", "lungs")
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(InvalidOption, match="the labels are a, b"):
        shelf.bring(tmp_path / "five.h5", "emotion", labels=tmp_path / "labels.txt")
    with pytest.raises(InvalidOption, match="can serve emotion, lungs, background, similarity"):
        shelf.bring(tmp_path / "five.h5", "faces")
    assert shelf.is_empty()


def test_the_command(keras: Any, command: Command, tmp_path: Path) -> None:
    """From a file to the list of models, by the command alone; a second import of the same name changes nothing."""
    emotion_net(keras).save(tmp_path / "net.h5")
    done = command("import", tmp_path / "net.h5", "--task", "emotion", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["name"] == "net"
    assert 0 < told["parity"]["real_difference"] < told["parity"]["tolerance"]
    listed = json.loads(command("list", "--json").stdout)["models"]
    assert next(model for model in listed if model["name"] == "net")["tasks"] == ["emotion"]
    assert json.loads(command("verify", "net", "--json").stdout)["models"] == [{"name": "net", "problems": []}]
    stored = (tmp_path / "models" / "net" / "model.onnx").read_bytes()
    for trace in (str(tmp_path), "site-packages", "keras/src"):
        assert trace.encode() not in stored

    again = command("import", tmp_path / "net.h5", "--task", "emotion")
    assert again.returncode == 2
    assert again.stderr.rstrip().endswith("[invalid_option]")
    assert "is there already" in again.stderr
