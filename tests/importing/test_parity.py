"""A model that does not answer as its source did is refused, whatever the difference looks like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sightline.architectures.expression import Expression
from sightline.errors import ModelError
from sightline.importing.fits import Fit
from sightline.importing.parity import TOLERANCE, compare
from sightline.importing.probes import drawn
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

LABELS = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]


def logits(batch: np.ndarray) -> np.ndarray:
    """Seven numbers that depend on the picture."""
    flat = batch.reshape(len(batch), -1).astype(np.float64)
    return np.stack([np.sin(flat.mean(1) * 30 + place) * 2 for place in range(7)], axis=1).astype(np.float32)


def scores(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def judge(stored: Callable[[np.ndarray], np.ndarray], source: Callable[[np.ndarray], np.ndarray] = logits) -> float:
    """The parity of a stored engine with a source, over drawn pictures."""
    made = card(
        architecture="expression",
        labels=LABELS,
        input={"width": 16, "height": 16, "colour": "L", "mean": [0.0], "scale": [1 / 255]},
    )
    engine = FakeEngine(stored, shape=(None, 16, 16, 1))
    fit = Fit(None, {}, lambda prepared: [scores(source(prepared))], lambda model, pictures: [model.scores(pictures)])
    pictures = drawn(16, 16)
    return compare(fit, Expression(made, engine), pictures, pictures[:5]).largest


def test_the_same_answers_pass() -> None:
    assert judge(logits) < 1e-6


def test_a_small_difference_is_stated() -> None:
    found = judge(lambda batch: logits(batch) + np.eye(7, dtype=np.float32)[0] * 1e-4)
    assert 1e-6 < found < TOLERANCE


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (lambda batch: logits(batch) + np.eye(7, dtype=np.float32)[0] * 0.01, "answers otherwise"),
        (lambda batch: logits(batch)[:, ::-1], "answers otherwise"),
        (lambda batch: logits(batch)[:, :6], "answers"),
        (lambda batch: logits(batch) * np.float32("nan"), "not finite"),
        (lambda batch: logits(batch) + np.float32(0.02) * (len(batch) - 1), "change each other"),
        (lambda batch: logits(batch)[::-1] if len(batch) > 1 else logits(batch), "change each other"),
    ],
    ids=["shifted", "reversed", "too few", "not a number", "adds the batch", "swaps the batch"],
)
def test_other_answers_are_refused(stored: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        judge(stored)


def test_a_source_that_gives_no_numbers_is_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        judge(logits, lambda batch: logits(batch) * np.float32("inf"))
