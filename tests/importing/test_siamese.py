"""Siamese networks: the tower is found and proved, or the reason is said; what serves answers as Keras did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from sightline.errors import InvalidOption, ModelError
from sightline.images.decode import read
from sightline.images.geometry import resize
from sightline.tasks import registry
from tests.importing.shelf import Command, Shelf

SIDE = 32
Build = Callable[[Any], Any]

pytestmark = pytest.mark.usefixtures("keras")


def tower(keras: Any, name: str = "tower") -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(6, 3, strides=2, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(12),
        ],
        name=name,
    )


def inputs(keras: Any, count: int) -> list[Any]:
    return [keras.Input((SIDE, SIDE, 3), name=name) for name in ("anchor", "first", "second")[:count]]


def three_euclidean(keras: Any) -> Any:
    """An anchor and two pictures in, two distances out."""
    pictures, shared, ops = inputs(keras, 3), tower(keras), keras.ops
    a, b, c = map(shared, pictures)
    return keras.Model(pictures, [ops.norm(a - b, axis=1), ops.norm(a - c, axis=1)])


def three_squared_in_one(keras: Any) -> Any:
    """The two distances stacked into one output."""
    pictures, shared, ops = inputs(keras, 3), tower(keras), keras.ops
    a, b, c = map(shared, pictures)
    near = ops.sum(ops.square(a - b), axis=-1)
    return keras.Model(pictures, ops.stack([near, ops.sum(ops.square(a - c), axis=-1)], axis=-1))


def two_with_root(keras: Any) -> Any:
    """The form of a hundred tutorials: a small number under the root."""
    pictures, shared, ops = inputs(keras, 2), tower(keras), keras.ops
    a, b = map(shared, pictures)
    total = ops.sum(ops.square(a - b), axis=1, keepdims=True)
    return keras.Model(pictures, ops.sqrt(ops.maximum(total, 1e-7)))


def two_cosine(keras: Any) -> Any:
    pictures, shared = inputs(keras, 2), tower(keras)
    a, b = map(shared, pictures)
    return keras.Model(pictures, keras.layers.Dot(1, normalize=True)([a, b]))


def two_layers_shared(keras: Any) -> Any:
    """No tower by name: each layer is called twice."""
    layers, ops = keras.layers, keras.ops
    pictures = inputs(keras, 2)
    conv, dense = layers.Conv2D(5, 3, strides=3, activation="relu"), layers.Dense(8)
    a, b = (layers.UnitNormalization()(dense(layers.GlobalAveragePooling2D()(conv(each)))) for each in pictures)
    return keras.Model(pictures, ops.sum(ops.abs(a - b), axis=1))


def two_sigmoid(keras: Any) -> Any:
    """Contrastive training's head: the distance, normalised, behind a sigmoid that says `different`."""
    layers, ops = keras.layers, keras.ops
    pictures, shared = inputs(keras, 2), tower(keras)
    a, b = map(shared, pictures)
    distance = ops.norm(a - b, axis=1, keepdims=True)
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Model(pictures, head(layers.BatchNormalization()(distance)))
    head.set_weights([np.array([[1.7]], np.float32), np.array([-1.2], np.float32)])
    return model


def _weighted(keras: Any, weights: np.ndarray) -> Any:
    """Koch et al. 2015: a sigmoid over weighted differences, 1 for the same person."""
    layers, ops = keras.layers, keras.ops
    pictures, shared = inputs(keras, 2), tower(keras)
    a, b = map(shared, pictures)
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Model(pictures, head(ops.abs(layers.Subtract()([a, b]))))
    head.set_weights([weights.reshape(-1, 1).astype(np.float32), np.array([0.8], np.float32)])
    return model


def two_weighted(keras: Any) -> Any:
    return _weighted(keras, -np.random.default_rng(0).uniform(0.1, 1, 12))


def two_weighted_by_both_signs(keras: Any) -> Any:
    return _weighted(keras, np.random.default_rng(0).normal(-0.4, 0.6, 12))


BUILDS: list[Build] = [
    three_euclidean,
    three_squared_in_one,
    two_with_root,
    two_cosine,
    two_layers_shared,
    two_sigmoid,
    two_weighted,
    two_weighted_by_both_signs,
]
METRICS = ["euclidean", "squared", "euclidean", "cosine", "manhattan", "euclidean", "manhattan", "signed"]


def pictures(count: int = 6) -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


def columns(answer: Any, count: int) -> np.ndarray:
    outputs = answer if isinstance(answer, list | tuple) else [answer]
    return np.concatenate([np.asarray(output).reshape(count, -1) for output in outputs], axis=1)


def by_tower(shelf: Shelf, name: str, chips: np.ndarray, count: int) -> np.ndarray:
    """Distances of the anchor to each other picture by the stored model; picture i is compared with those after it."""
    siamese = shelf.architecture(name)
    vectors = siamese.embed(chips)
    turned = [np.roll(vectors, -place, axis=0) for place in range(count)]
    return np.array(
        [[siamese.distance(turned[0][i], turned[k][i]) for k in range(1, count)] for i in range(len(chips))]
    )


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


@pytest.mark.parametrize(("build", "metric"), zip(BUILDS, METRICS, strict=True), ids=[b.__name__ for b in BUILDS])
def test_the_tower_and_its_distance(keras: Any, shelf: Shelf, tmp_path: Path, build: Build, metric: str) -> None:
    model = build(keras)
    model.save(tmp_path / "pair.h5")
    done = shelf.bring(tmp_path / "pair.h5", "similarity")
    card = shelf.card("pair")
    assert (card.architecture, card.options["metric"], card.options["crop"]) == ("siamese", metric, "box")
    assert done.parity.largest < 1e-3
    assert shelf.engine("pair").inputs[0].shape == (None, SIDE, SIDE, 3)

    chips, count = pictures(), len(model.inputs)
    turned = [np.roll(chips, -place, axis=0).astype(np.float32) / 255 for place in range(count)]
    theirs = columns(model.predict(turned, verbose=0), len(chips))
    ours = by_tower(shelf, "pair", chips, count)
    slope, middle = float(card.options["slope"]), float(card.options["middle"])
    same = 1 / (1 + np.exp(slope * (ours - middle)))
    if build is two_cosine:  # Keras says how near they are
        np.testing.assert_allclose(1 - ours, theirs, atol=1e-4)
    elif build is two_sigmoid:  # the network's 1 stands for two persons
        np.testing.assert_allclose(same, 1 - theirs, atol=1e-3)
        assert card.options["calibration"] == "the network's own sigmoid"
    elif metric in ("signed", "manhattan") and build is not two_layers_shared:
        np.testing.assert_allclose(same, theirs, atol=1e-3)
    else:
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
        assert "guess" in str(card.options["calibration"])


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_vectors_themselves(keras: Any, shelf: Shelf, tmp_path: Path, suffix: str) -> None:
    """A tower alone, and a triplet network that answers with three vectors in a row."""
    alone = tower(keras)
    alone.save(tmp_path / f"alone.{suffix}")
    three = inputs(keras, 3)
    keras.Model(three, keras.layers.Concatenate()(list(map(alone, three)))).save(tmp_path / f"triplet.{suffix}")
    chips = pictures()
    wanted = alone.predict(chips.astype(np.float32) / 255, verbose=0)
    for name in ("alone", "triplet"):
        shelf.bring(tmp_path / f"{name}.{suffix}", "similarity")
        np.testing.assert_allclose(shelf.architecture(name).embed(chips), wanted, atol=1e-4)


def no_shared_tower(keras: Any) -> Any:
    pictures, ops = inputs(keras, 2), keras.ops
    first, second = (tower(keras, name)(each) for name, each in zip(("one", "other"), pictures, strict=True))
    return keras.Model(pictures, ops.norm(first - second, axis=1))


def no_distance(keras: Any) -> Any:
    pictures, shared, layers = inputs(keras, 2), tower(keras), keras.layers
    joined = layers.Concatenate()([shared(each) for each in pictures])
    return keras.Model(pictures, layers.Dense(1, activation="sigmoid")(layers.Dense(9, activation="relu")(joined)))


def met_too_early(keras: Any) -> Any:
    pictures = inputs(keras, 2)
    return keras.Model(pictures, keras.ops.mean(tower(keras)(keras.layers.Subtract()(pictures)), axis=1))


def four_inputs(keras: Any) -> Any:
    pictures = [keras.Input((SIDE, SIDE, 3)) for _ in range(4)]
    a, b, c, d = map(tower(keras), pictures)
    return keras.Model(pictures, keras.ops.norm(a - b + c - d, axis=1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (no_shared_tower, "different networks"),
        (no_distance, "is no euclidean, squared, manhattan, cosine distance"),
        (met_too_early, "no shared tower and known distance"),
        (four_inputs, "takes 4 pictures"),
    ],
)
def test_networks_that_no_vector_explains(keras: Any, shelf: Shelf, tmp_path: Path, build: Build, words: str) -> None:
    build(keras).save(tmp_path / "pair.keras")
    with pytest.raises(ModelError, match=words):
        shelf.bring(tmp_path / "pair.keras", "similarity")
    assert shelf.is_empty()


def test_other_tasks_want_one_picture(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    two_cosine(keras).save(tmp_path / "pair.keras")
    with pytest.raises(ModelError, match="takes 2 inputs"):
        shelf.bring(tmp_path / "pair.keras", "emotion")


def test_a_custom_distance_layer_comes_from_the_users_code(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    """The whole file names a class that it does not hold; the weights in it still load into the user's own network."""
    code = f"""
import keras

class DistanceLayer(keras.layers.Layer):
    def call(self, anchor, first, second):
        ops = keras.ops
        return ops.sum(ops.square(anchor - first), -1), ops.sum(ops.square(anchor - second), -1)

def siamese():
    layers = keras.layers
    tower = keras.Sequential(
        [keras.Input(({SIDE}, {SIDE}, 3)), layers.Conv2D(4, 3, strides=2), layers.Flatten(), layers.Dense(6)]
    )
    pictures = [keras.Input(({SIDE}, {SIDE}, 3), name=name) for name in ("anchor", "first", "second")]
    return keras.Model(pictures, DistanceLayer()(*map(tower, pictures)))
"""
    (tmp_path / "code.py").write_text(code)
    names: dict[str, Any] = {"__name__": "course"}
    exec(code, names)
    model = names["siamese"]()
    model.save(tmp_path / "pair.h5")
    with pytest.raises(ModelError, match=r"'DistanceLayer', which is not Keras's own: --architecture"):
        shelf.bring(tmp_path / "pair.h5", "similarity")
    shelf.bring(tmp_path / "pair.h5", "similarity", architecture=f"{tmp_path / 'code.py'}:siamese", trust=True)
    chips = pictures()
    turned = [np.roll(chips, -place, axis=0).astype(np.float32) / 255 for place in range(3)]
    theirs = columns(model.predict(turned, verbose=0), len(chips))
    np.testing.assert_allclose(by_tower(shelf, "pair", chips, 3), theirs, rtol=1e-3)


def test_folders_of_people_calibrate(keras: Any, shelf: Shelf, tmp_path: Path, portrait: np.ndarray) -> None:
    """Two `people`, one photo dyed two ways with noise: told apart by colour, which this tower sees."""
    picture = keras.Input((SIDE, SIDE, 3))
    keras.Model(picture, keras.layers.GlobalAveragePooling2D()(picture)).save(tmp_path / "colour.keras")
    random = np.random.default_rng(0)
    for name, dye in (("red", (1.0, 0.6, 0.6)), ("blue", (0.6, 0.6, 1.0))):
        (tmp_path / "people" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.clip(portrait * dye + random.normal(0, 4, 3), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "people" / name / f"{number}.png")
    done = shelf.bring(tmp_path / "colour.keras", "similarity", samples=tmp_path / "people", crop="whole")
    assert any("pairs of the samples" in note for note in done.notes)
    card = shelf.card("colour")
    vectors = [
        shelf.architecture("colour").embed(resize(read(path).pixels, SIDE, SIDE)[None])[0]
        for path in sorted((tmp_path / "people").rglob("*.png"))
    ]
    threshold = card.threshold("distance")
    assert all(np.linalg.norm(vectors[i] - vectors[j]) < threshold for i in range(6) for j in range(i))
    assert all(np.linalg.norm(vectors[i] - vectors[j]) > threshold for i in range(6) for j in range(6, 12))

    for path in (tmp_path / "people" / "red").glob("[1-5].png"):
        path.unlink()
    for path in (tmp_path / "people" / "blue").glob("[1-5].png"):
        path.unlink()
    with pytest.raises(InvalidOption, match="pairs of one kind"):
        shelf.bring(tmp_path / "colour.keras", "similarity", name="few", samples=tmp_path / "people", crop="whole")


def test_the_users_threshold_wins(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    two_with_root(keras).save(tmp_path / "pair.h5")
    (tmp_path / "card.toml").write_text("[thresholds]\ndistance = 0.9\n[options]\nslope = 3.0\nmiddle = 0.8\n")
    done = shelf.bring(tmp_path / "pair.h5", "similarity", card=tmp_path / "card.toml")
    card = shelf.card("pair")
    assert (card.threshold("distance"), card.options["slope"], card.options["middle"]) == (0.9, 3.0, 0.8)
    assert not any("guess" in note for note in done.notes)


def test_a_name_that_is_a_nickname_too(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    """`siamese` also stands for a shipped model; who imports a file of that name means the file."""
    two_with_root(keras).save(tmp_path / "siamese.h5")
    done = shelf.bring(tmp_path / "siamese.h5", "similarity")
    task = registry.load("similarity", model="siamese", detector="haar", settings=shelf.settings)
    assert task.identities[0].sha256 == done.sha256


@pytest.mark.models
def test_served(keras: Any, command: Command, start_server: Any, tmp_path: Path, portrait: np.ndarray) -> None:
    """From Keras to HTTP and back: a real server answers the distances that Keras gives for the same pictures."""
    model = three_euclidean(keras)
    model.save(tmp_path / "old.h5")
    done = command("import", tmp_path / "old.h5", "--task", "similarity", "--name", "dlib-face", "--crop", "whole")
    assert done.returncode == 0, done.stderr
    files = {}
    for name, pixels in (
        ("anchor", portrait),
        ("img1", np.ascontiguousarray(portrait[:, ::-1])),
        ("img2", (portrait * 0.6).astype(np.uint8)),
    ):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        files[name] = tmp_path / f"{name}.png"
    server = start_server("similarity", SIGHTLINE_MODELS=str(tmp_path / "models"))
    response = httpx.post(
        f"{server.url}/v1/similarity", files={name: path.read_bytes() for name, path in files.items()}, timeout=60
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    chips = [resize(read(path).pixels, SIDE, SIDE)[None].astype(np.float32) / 255 for path in files.values()]
    first, second = (float(np.asarray(value).squeeze()) for value in model.predict(chips, verbose=0))
    assert answer["distance"] == {"img1": pytest.approx(first, abs=2e-4), "img2": pytest.approx(second, abs=2e-4)}
    assert answer["model"]["name"] == "dlib-face"
    assert (answer["distance"]["img1"] < answer["distance"]["img2"]) == (first < second)
    assert server.stop() == 0
