"""Classifiers by card: what comes out of the network becomes confidences of the card's labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sightline.architectures.classifier import Classifier
from sightline.architectures.embedding import Embedding
from sightline.engines.base import Array
from sightline.errors import InvalidCard
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

LABELS = ["cat", "dog", "bird"]
PHOTO = np.random.default_rng(1).integers(0, 256, (30, 50, 3)).astype(np.uint8)


def classifier(*outputs: Any, **members: Any) -> Classifier:
    given = tuple(np.asarray(output, np.float32) for output in outputs)
    return Classifier(card(labels=LABELS, **members), FakeEngine(lambda batch: given))


def test_logits_become_probabilities() -> None:
    named = classifier([[1.0, 3.0, -1.0]]).classify(PHOTO)
    wanted = np.exp([1, 3, -1]) / np.exp([1, 3, -1]).sum()
    assert named.confidences == pytest.approx(wanted, abs=1e-6)
    assert named.distance is None
    softer = classifier([[1.0, 3.0, -1.0]], options={"temperature": 2.0}).classify(PHOTO).confidences
    assert softer[1] < named.confidences[1]
    assert classifier([[1e4, 0, -1e4]]).classify(PHOTO).confidences == pytest.approx([1, 0, 0])


@pytest.mark.parametrize("output", ["probabilities", "independent"])
def test_probabilities_are_taken_as_they_are(output: str) -> None:
    named = classifier([[0.9, 0.8, 1.0001]], options={"output": output}).classify(PHOTO)
    assert named.confidences == pytest.approx([0.9, 0.8, 1.0], abs=1e-6)


def test_a_second_output_is_the_distance() -> None:
    assert classifier([[0.2, 0.3, 0.5]], [0.75], options={"output": "probabilities"}).classify(PHOTO).distance == 0.75


def test_the_card_says_how_the_picture_is_seen() -> None:
    seen: list[Array] = []

    def run(batch: Array) -> Array:
        seen.append(batch)
        return np.zeros((1, 3), np.float32)

    spec = {"width": 20, "height": 10, "layout": "NCHW", "mean": [10.0, 20.0, 30.0], "scale": [0.5, 1.0, 2.0]}
    blue = np.zeros((40, 40, 3), np.uint8)
    blue[..., 2] = 200
    Classifier(card(labels=LABELS, input=spec), FakeEngine(run)).classify(blue)
    assert seen[0].shape == (1, 3, 10, 20)
    assert seen[0][0, :, 5, 5] == pytest.approx([-5, -20, 340])


@pytest.mark.parametrize(
    "members",
    [
        {"options": {"output": "maybe"}},
        {"options": {"fit": "stretch"}},
        {"options": {"filter": "sharp"}},
        {"options": {"crop": 0}},
        {"options": {"crop": 1.5}},
        {"options": {"pad": 300}},
        {"labels": []},
    ],
)
def test_cards_that_make_no_sense(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidCard, match="fake"):
        Classifier(card(**{"labels": LABELS, **members}), FakeEngine(lambda batch: batch))


def test_another_number_of_labels_than_the_network_has() -> None:
    with pytest.raises(InvalidCard, match="names 3 labels; its network answers 4"):
        classifier([[1, 2, 3, 4]]).classify(PHOTO)


def test_an_embedding_is_one_vector() -> None:
    network = Embedding(card(options={"fit": "squash"}), FakeEngine(lambda batch: batch.mean(axis=(1, 2))))
    assert network.vector(np.full((9, 7, 3), (30, 60, 90), np.uint8)) == pytest.approx([30, 60, 90])
