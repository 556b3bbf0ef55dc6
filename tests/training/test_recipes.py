"""Every recipe, end to end, on data that is learnt in seconds."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.models.card import Card
from sightline.training import train
from sightline.training.export import Session
from sightline.training.order import Outcome


def log(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (outcome.folder / "log.jsonl").read_text().splitlines()]


def check(outcome: Outcome, shape: tuple[int, ...], megabytes: float, *, learns: bool = True) -> dict[str, Any]:
    """What holds for every recipe's outcome; returns the card."""
    losses = [line["loss"] for line in log(outcome)]
    assert losses[-1] < losses[0] or not learns
    assert outcome.parity < 0.02
    assert outcome.model.stat().st_size <= megabytes * 1e6
    card = tomllib.loads(outcome.card.read_text())
    Card.load(outcome.card)  # the store takes it
    assert card["files"][0]["size"] == outcome.model.stat().st_size
    assert all({"dataset", "metric", "value", "n", "command"} <= set(line) for line in card["figures"])
    for count in (1, 2, 5):  # a dynamic batch
        outputs = Session(outcome.model).run(np.random.rand(count, *shape).astype(np.float32))
        assert all(len(output) == count and np.isfinite(output).all() for output in outputs)
    assert (outcome.folder / "curves.png").exists()
    assert (outcome.folder / "samples.png").exists()
    return card


def quiet(event: dict[str, Any]) -> None:
    pass


def test_emotion(expressions: Path, tmp_path: Path) -> None:
    outcome = train("emotion", expressions, tmp_path, epochs=6, progress=quiet)
    card = check(outcome, (1, 48, 48), 3)
    assert card["labels"] == ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    assert card["options"]["temperature"] > 0
    accuracy = next(line for line in card["figures"] if line["metric"] == "accuracy")
    assert accuracy["n"] == 42  # 43 in the folder; the twin of a train picture is not judged
    assert accuracy["value"] > 0.3


def test_emotion_classic(expressions: Path, tmp_path: Path) -> None:
    outcome = train("emotion", expressions, tmp_path, epochs=3, progress=quiet, architecture="emotion-classic")
    check(outcome, (1, 48, 48), 10)


@pytest.mark.parametrize("architecture", ["bcdunet", "unet"])
def test_lungs(films: Path, portraits: Path, tmp_path: Path, architecture: str) -> None:
    outcome = train(
        "lungs", films, tmp_path, epochs=10, progress=quiet, architecture=architecture, negatives=[portraits / "images"]
    )
    card = check(outcome, (1, 256, 256), 12)
    values = {(line["dataset"], line["metric"]): line["value"] for line in card["figures"]}
    assert values["held-out fifth of the patients", "dice"] > 0.3
    assert ("held-out fifth of the patients, Montgomery", "hd95") in values
    assert len(Session(outcome.model).run(np.zeros((1, 1, 256, 256), np.float32))) == 2


def test_portraits(portraits: Path, tmp_path: Path) -> None:
    outcome = train("portraits", portraits, tmp_path, epochs=5, progress=quiet)
    check(outcome, (3, 256, 256), 12)


def check_similarity(outcome: Outcome) -> None:
    check(outcome, (3, 96, 96), 4)
    points = Session(outcome.model).run(np.random.rand(2, 3, 96, 96).astype(np.float32))[0]
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-4)
    card = Card.load(outcome.card)
    values = {figure.metric: figure.value for figure in card.figures}
    assert values["auc"] > 0.6
    assert 0 < card.threshold("distance") < 2


def test_similarity(people: Path, tmp_path: Path) -> None:
    check_similarity(train("similarity", people, tmp_path, epochs=4, progress=quiet))


def test_similarity_with_a_teacher(people: Path, tmp_path: Path) -> None:
    """The teacher's answers are on disk, as after a run that was stopped: no face network is asked."""
    draw = np.random.default_rng(0)
    files = sorted(people.rglob("*.png")) or sorted(people.rglob("*.jpg"))
    chips = np.stack([cv2.resize(cv2.imread(str(file))[..., ::-1], (112, 112)) for file in files])
    directions = {person: draw.normal(size=16) for person in sorted({file.parent.name for file in files})}
    for number in range(2):
        vectors = np.stack([directions[file.parent.name] for file in files]).astype(np.float32)
        names = np.array([file.relative_to(people).as_posix() for file in files])
        np.savez(tmp_path / f"taught{number}.npz", names=names, chips=chips, vectors=vectors)
    outcome = train(
        "similarity", people, tmp_path, epochs=3, progress=quiet, teacher="some-teacher", unlabelled=tmp_path / "faces"
    )
    check_similarity(outcome)
    card = Card.load(outcome.card)
    assert "taught by some-teacher" in card.training_data
    assert "--teacher some-teacher --unlabelled UNLABELLED" in card.figures[0].command
