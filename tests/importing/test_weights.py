"""Files of weights alone: they answer as they did in the network they were saved from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.errors import InvalidOption, ModelError
from tests.importing import keras2
from tests.importing.shelf import Shelf

NETWORK = """
import keras

def network():
    layers = keras.layers
    first = layers.Conv2D(4, 5, strides=3)
    return keras.Sequential([keras.Input((48, 48, 1)), first, layers.Flatten(), layers.Dense(7)])

def smaller():
    return keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])

def broken():
    raise RuntimeError("not today")

def nothing():
    return None
"""

TORCH_NETWORK = """
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(1, 4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 15 * 15, 7))
"""


def grey(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in pictures])[..., None].astype(np.float32) / 255


@pytest.fixture
def classic(keras: Any) -> Any:
    """The network of a thousand courses, as one of them would write it."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Dropout(0.25),
            layers.Conv2D(128, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(128, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(7, activation="softmax"),
        ]
    )


def save_as_keras_2(model: Any, path: Path) -> None:
    names = {"kernel", "bias"}
    weights: keras2.Weights = {}
    for number, layer in enumerate(model.layers):
        weights[f"layer_{number}"] = [(weight.name, weight.numpy()) for weight in layer.weights if weight.name in names]
    keras2.write(path, None, weights)


@pytest.mark.parametrize("form", ["model.h5", "model.weights.h5", "whole.h5"])
def test_into_emotion_classic(
    keras: Any, classic: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray, form: str
) -> None:
    """As Keras 2 saved weights, as Keras 3 does, and the weights of a whole model."""
    file = tmp_path / form
    if form == "model.h5":
        save_as_keras_2(classic, file)
    elif form == "model.weights.h5":
        classic.save_weights(file)
    else:
        classic.save(file)
    done = shelf.bring(file, "emotion", architecture="emotion-classic")
    assert done.parity.largest < 1e-5
    np.testing.assert_allclose(
        shelf.architecture(done.name).scores(faces), classic.predict(grey(faces), verbose=0), atol=1e-5
    )


def test_weights_alone_say_what_is_missing(classic: Any, shelf: Shelf, tmp_path: Path) -> None:
    save_as_keras_2(classic, tmp_path / "model.h5")
    with pytest.raises(InvalidOption, match=r"without a network.*emotion-classic or FILE\.py:function"):
        shelf.bring(tmp_path / "model.h5", "emotion")
    with pytest.raises(InvalidOption, match=r"no architecture for model\.h5 is called 'lenet'"):
        shelf.bring(tmp_path / "model.h5", "emotion", architecture="lenet")


def test_into_a_network_of_the_users_own(keras: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray) -> None:
    code = tmp_path / "network.py"
    code.write_text(NETWORK)
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    model = names["network"]()
    model.save_weights(tmp_path / "own.weights.h5")

    with pytest.raises(InvalidOption, match="only with --trust"):
        shelf.bring(tmp_path / "own.weights.h5", "emotion", architecture=f"{code}:network")
    done = shelf.bring(tmp_path / "own.weights.h5", "emotion", architecture=f"{code}:network", trust=True)
    logits = model.predict(grey(faces), verbose=0)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shelf.architecture("own").scores(faces), wanted, atol=1e-5)
    assert str(tmp_path) not in (done.directory / "card.toml").read_text()


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        ("smaller", ModelError, "do not fit"),
        ("broken", ModelError, "RuntimeError: not today"),
        ("nothing", ModelError, "returned a NoneType"),
        ("absent", InvalidOption, "no function 'absent'"),
    ],
)
def test_functions_that_do_not_do(
    keras: Any, shelf: Shelf, tmp_path: Path, function: str, error: type[Exception], words: str
) -> None:
    code = tmp_path / "network.py"
    code.write_text(NETWORK)
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    names["network"]().save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(error, match=words):
        shelf.bring(tmp_path / "own.weights.h5", "emotion", architecture=f"{code}:{function}", trust=True)
    assert shelf.is_empty()


def test_a_file_with_an_error_in_it(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text("import nothing_that_exists\n")
    keras2.write(tmp_path / "own.h5", None, {"a": [("kernel", [1.0])]})
    with pytest.raises(ModelError, match=r"cannot be run: ModuleNotFoundError"):
        shelf.bring(tmp_path / "own.h5", "emotion", architecture=f"{tmp_path / 'network.py'}:network", trust=True)


def test_a_pytorch_state_dict(torch: Any, shelf: Shelf, tmp_path: Path, faces: np.ndarray) -> None:
    (tmp_path / "network.py").write_text(TORCH_NETWORK)
    (tmp_path / "card.toml").write_text('[input]\nwidth = 48\nheight = 48\ncolour = "L"\n')
    names: dict[str, Any] = {}
    exec(TORCH_NETWORK, names)
    model = names["network"]().eval()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    wishes = {"architecture": f"{tmp_path / 'network.py'}:network", "trust": True}
    with pytest.raises(InvalidOption, match="how large its pictures are"):
        shelf.bring(tmp_path / "state.pt", "emotion", **wishes)
    shelf.bring(tmp_path / "state.pt", "emotion", card=tmp_path / "card.toml", **wishes)
    with torch.inference_mode():
        wanted = model(torch.from_numpy(grey(faces).transpose(0, 3, 1, 2))).softmax(1).numpy()
    np.testing.assert_allclose(shelf.architecture("state").scores(faces), wanted, atol=1e-5)
