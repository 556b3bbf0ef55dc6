"""Labels of your own over a network as it is. The network here averages colours over a grid of 4 x 4 cells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image
from sklearn.linear_model import LogisticRegression

import sightline
from sightline.errors import InvalidOption
from sightline.evaluation.classify import evaluate
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.training.heads import knn, logistic
from sightline.training.heads.openset import distances, limit
from sightline.training.heads.outofsample import calibration_error, negative_log_likelihood
from sightline.training.heads.scaling import Scaling, unit
from sightline.training.heads.teach import teach
from sightline.training.heads.trunk import cut

COLOURS = {"amber": (230, 160, 20), "leaf": (40, 170, 60), "sky": (70, 130, 230)}
DRAW = np.random.default_rng(0)


def picture(colour: tuple[int, int, int]) -> Image.Image:
    """Stripes of a colour on grey, noisy, of any proportions."""
    rows, columns = DRAW.integers(40, 90, 2)
    pixels = DRAW.normal(110, 15, (rows, columns, 3))
    pixels[int(DRAW.integers(0, 3)) :: 3] = np.array(colour) + DRAW.normal(0, 12, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def fill(folder: Path, colours: dict[str, tuple[int, int, int]], count: int) -> Path:
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(colour).save(folder / name / f"{number}.png")
    return folder


def network(folder: Path, *, rank: int = 4, opset: int = 17, **members: Any) -> Path:
    """A model folder: the grid (N x 3 x 4 x 4), and behind it numbers that no head should need."""
    folder.mkdir(parents=True)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["cells"], ["grid"], axis=1),
        helper.make_node("Softmax", ["grid"], ["answer"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 48])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), folder / "m.onnx")
    import hashlib

    data = (folder / "m.onnx").read_bytes()
    table = {
        "name": folder.name,
        "version": "1",
        "tasks": ["embedding"],
        "architecture": "embedding",
        "engine": "onnx",
        "summary": "Colours in a grid.",
        "training_data": "None.",
        "licence": {"spdx": "MIT", "holder": "Nobody", "research_only": True},
        "input": {"width": 32, "height": 32, "layout": "NCHW", "scale": [1 / 255] * 3},
        "options": {"fit": "squash", "features": "cells" if rank == 4 else "grid"},
        "files": [{"path": "m.onnx", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}],
        **members,
    }
    from sightline.training.card import write_card

    write_card(folder / "card.toml", table)
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The user's own models: the grid, as a vector and as a map."""
    folder = tmp_path_factory.mktemp("models")
    network(folder / "grid", rank=2)
    network(folder / "mean-colour", rank=4)
    return Settings(models=folder, cache=folder / "cache", offline=True)


@pytest.fixture(scope="module")
def taught(shelf: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model folder of a head, taught eight pictures a label."""
    data = fill(tmp_path_factory.mktemp("data"), {**COLOURS, "none_of_these": (0, 0, 0)}, 8)
    made: dict[str, Path] = {}

    def model(head: str) -> Path:
        if head not in made:
            made[head] = shelf.models / head
            teach(data, made[head], head, shelf, Store(shelf), embedding="mean-colour")
        return made[head]

    return model


@pytest.mark.parametrize("head", ["knn", "logistic"])
def test_new_pictures_are_named_and_strangers_are_not(
    head: str, shelf: Settings, taught: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = taught(head)
    test = fill(tmp_path, {**COLOURS, "none_of_these": (250, 20, 240)}, 10)
    for name in (str(folder), head):
        task = sightline.load("classify", model=name, settings=shelf)
        got = evaluate(task, test, 1)  # type: ignore[arg-type]
        assert got["top1_unrejected"] == 1
        assert got["top1"] > 0.8
        assert got["none_found"] > 0.8
    answer = task(picture(COLOURS["leaf"]))
    if not answer.none_of_these:
        assert answer.labels[0].name == "leaf"
        assert sum(label.confidence for label in answer.labels) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("head", ["knn", "logistic"])
def test_the_card_says_what_was_learnt_and_from_what(head: str, shelf: Settings, taught: Callable[[str], Path]) -> None:
    card = Card.load(taught(head) / "card.toml")
    assert (card.name, card.labels, card.tasks) == (head, ("amber", "leaf", "sky"), ("classify",))
    assert card.licence.research_only  # as the network below
    assert "24 pictures" in card.training_data
    assert card.options["embedding"] == "mean-colour 1"
    assert card.options["parity"] < 1e-4
    values = {(figure.metric, figure.dataset): figure for figure in card.figures}
    assert len(values) == len(card.figures) == 5
    assert all(figure.n == 24 and head in figure.command for figure in card.figures)
    top1 = next(figure.value for figure in card.figures if figure.metric == "top1")
    assert top1 == 1
    rejected, strangers = (figure.value for figure in card.figures if "none" in figure.metric)
    assert rejected < 0.2 < strangers


def test_the_same_pictures_give_the_same_bytes(shelf: Settings, tmp_path: Path) -> None:
    data = fill(tmp_path / "data", COLOURS, 3)
    for name in ("a", "b"):
        teach(data, tmp_path / name, "knn", shelf, Store(shelf), embedding="grid")
    assert (tmp_path / "a/model.onnx").read_bytes() == (tmp_path / "b/model.onnx").read_bytes()


def test_no_pytorch_is_imported(shelf: Settings, tmp_path: Path) -> None:
    """The base install has none."""
    data = fill(tmp_path / "data", COLOURS, 3)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sightline.cli import main\n"
        f"sys.argv = ['sightline', 'train', 'classify', '--data', {str(data)!r}, '--out', {str(tmp_path / 'mine')!r},"
        " '--head', 'logistic', '--embedding', 'grid']\n"
        "main()"
    )
    environment = {"SIGHTLINE_MODELS": str(shelf.models), "SIGHTLINE_OFFLINE": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "amber, leaf, sky" in done.stdout
    assert "Traceback" not in done.stderr
    task = sightline.load("classify", model=str(tmp_path / "mine"), settings=shelf)
    assert task(picture(COLOURS["sky"])).models[0].name == "mine"


def test_a_model_folder_is_evaluated_and_served(
    taught: Callable[[str], Path], start_server: Any, tmp_path: Path
) -> None:
    folder = taught("knn")
    data = fill(tmp_path / "data", COLOURS, 2)
    command = [sys.executable, "-m", "sightline.cli"]
    asked = [*command, "evaluate", "classify", "--data", str(data), "--model", str(folder), "--json"]
    found = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    assert {"top1", "top5", "n", "skipped", "model", "seconds"} <= set(found)
    assert found["n"] == 6
    photo = data / "leaf" / "0.png"
    said = subprocess.run(
        [*command, "predict", "classify", str(photo), "--model", str(folder), "--json", "--top", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    by_command = json.loads(said.stdout)
    server = start_server(f"classify={folder}")
    over_http = httpx.post(f"{server.url}/v1/classify", files={"image": photo.read_bytes()}, data={"top": "2"}).json()
    assert over_http["labels"] == by_command["labels"]
    assert over_http["none_of_these"] == by_command["none_of_these"]
    assert over_http["model"]["name"] == "knn"
    drawn = httpx.post(
        f"{server.url}/v1/classify", files={"image": photo.read_bytes()}, headers={"Accept": "image/png"}
    )
    assert drawn.headers["content-type"] == "image/png"


# What cannot be learnt from


def test_folders_that_do_not_fit(shelf: Settings, tmp_path: Path) -> None:
    def attempt(**wishes: Any) -> None:
        arguments = {"head": "knn", "embedding": "grid", **wishes}
        teach(
            tmp_path / "data",
            tmp_path / "out",
            arguments["head"],
            shelf,
            Store(shelf),
            embedding=arguments["embedding"],
        )

    with pytest.raises(InvalidOption, match="not a folder"):
        attempt()
    fill(tmp_path / "data", {"amber": COLOURS["amber"]}, 2)
    with pytest.raises(InvalidOption, match="at least two folders"):
        attempt()
    fill(tmp_path / "data", {"sky": COLOURS["sky"]}, 1)
    with pytest.raises(InvalidOption, match="sky has 1"):
        attempt()
    fill(tmp_path / "data", {"sky": COLOURS["sky"]}, 2)
    with pytest.raises(InvalidOption, match="no head 'tree'; there are knn, logistic"):
        attempt(head="tree")
    with pytest.raises(InvalidOption, match="runs on cascade"):
        attempt(embedding="haar-frontal")
    twin = (tmp_path / "data" / "sky" / "0.png").read_bytes()
    (tmp_path / "data" / "amber" / "twin.png").write_bytes(twin)
    with pytest.raises(InvalidOption, match="in two folders, amber and sky"):
        attempt()
    assert not (tmp_path / "out").exists()


def test_doubles_and_broken_pictures_are_left_out(shelf: Settings, tmp_path: Path) -> None:
    data = fill(tmp_path / "data", COLOURS, 3)
    (data / "sky" / "again.png").write_bytes((data / "sky" / "0.png").read_bytes())
    (data / "sky" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = teach(data, tmp_path / "out", "knn", shelf, Store(shelf), embedding="grid")
    assert (done.doubles, done.broken) == (1, ("sky/broken.jpg",))
    assert done.card.figures[0].n == 9


def test_networks_that_carry_no_head(shelf: Settings, tmp_path: Path) -> None:
    for name, members in {
        "old": {"opset": 11},
        "nowhere": {"options": {"features": "no-such-tensor"}},
        "input": {"options": {"features": "x"}},
    }.items():
        folder = network(tmp_path / name, **members)
        card = Card.load(folder / "card.toml")
        with pytest.raises(InvalidOption, match=name):
            cut(card, folder / "m.onnx")


# The parts


def clusters(count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(count)
    labels = np.arange(count) % 3
    return (draw.normal(0, 1, (3, 12))[labels] + draw.normal(0, spread, (count, 12))).astype(np.float32), labels


def test_the_regression_is_scikit_learn_s() -> None:
    vectors, labels = clusters(60, 1.0)
    weights, bias = logistic.solve(vectors.astype(np.float64), labels, 3, 1e-2)
    theirs = LogisticRegression(C=1 / (2 * 1e-2 * 60), tol=1e-9, max_iter=5000).fit(vectors, labels)
    ours = logistic.softmax(vectors @ weights + bias)
    assert ours == pytest.approx(theirs.predict_proba(vectors), abs=1e-3)


@pytest.mark.parametrize("head", [knn, logistic])
@pytest.mark.parametrize("count", [12, 90])
def test_confidence_means_something_on_pictures_left_out(head: Any, count: int) -> None:
    """Overlapping clouds: what is said of pictures left out has to be better than always saying a third, and about as
    certain as it is right."""
    vectors, labels = clusters(count, 1.6)
    _, judged = head.fit(vectors, Scaling.of(vectors), labels, 3)
    assert judged.rows.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert negative_log_likelihood(judged.rows, labels) < np.log(3)
    assert calibration_error(judged.rows, labels) < (0.35 if count == 12 else 0.15)


def test_labels_that_say_nothing_are_not_believed() -> None:
    vectors = np.random.default_rng(1).normal(0, 1, (80, 20)).astype(np.float32)
    labels = np.arange(80) % 4
    for head in (knn, logistic):
        _, judged = head.fit(vectors, Scaling.of(vectors), labels, 4)
        assert judged.rows.max(axis=1).mean() < 0.5


@given(st.integers(2, 6), st.integers(1, 5), st.floats(0.02, 1.0), st.integers(0, 10_000))
def test_votes_are_probabilities_and_the_nearest_weighs_most(count: int, k: int, heat: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    likeness = draw.uniform(-1, 1, (7, 9)).astype(np.float32)
    labels = draw.integers(0, count, 9)
    values, places = knn.nearest(likeness, k)
    assert np.array_equal(values, np.sort(likeness, axis=1)[:, ::-1][:, :k])
    rows = knn.votes(values, labels[places], count, heat)
    assert (rows > 0).all()
    assert rows.sum(axis=1) == pytest.approx(1, abs=1e-5)
    if k == 1:
        assert np.array_equal(rows.argmax(axis=1), labels[likeness.argmax(axis=1)])


def test_a_feature_that_never_changes_is_not_amplified() -> None:
    vectors, _ = clusters(20, 1.0)
    vectors[:, 4] = 7.0 + np.arange(20) * 1e-7
    assert Scaling.of(vectors).factor[4] == 0
    assert np.isfinite(unit(Scaling.of(vectors).scaled(vectors))).all()


def test_the_limit_keeps_what_was_taught() -> None:
    vectors, labels = clusters(200, 0.3)
    scaled = Scaling.of(vectors).scaled(vectors)
    bound = limit(scaled, labels)
    assert bound.rejected <= 0.05
    assert bound.strangers > 0.9
    assert limit(scaled, labels, keep=0.5).distance < bound.distance


def test_what_is_only_larger_is_far_too() -> None:
    taught = np.random.default_rng(3).normal(0, 1, (30, 8)).astype(np.float32)
    new = taught[:4] + np.random.default_rng(4).normal(0, 0.1, (4, 8)).astype(np.float32)
    assert (distances(new, taught) < distances(new * 3, taught)).all()
    assert distances(taught, taught) == pytest.approx(0, abs=1e-5)
    alone = distances(taught, taught, np.eye(30, dtype=bool))
    wanted = [distances(taught[row : row + 1], np.delete(taught, row, axis=0))[0] for row in range(30)]
    assert alone == pytest.approx(np.array(wanted), rel=1e-4)
