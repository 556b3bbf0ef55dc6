"""What a user writes beside the model: labels in the forms that people keep them, and parts of a card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InvalidOption
from sightline.evaluation.similarity import fit_logistic
from sightline.importing.wishes import emotion, merge, read_card, read_labels

NAMES = ["angry", "disgust", "fear", "happy"]


@pytest.mark.parametrize(
    "text",
    [
        "angry\ndisgust\n\n  fear \nhappy",
        "\ufeffangry\r\ndisgust\r\nfear\r\nhappy\r\n",
        json.dumps(NAMES),
        json.dumps({str(place): name for place, name in reversed(list(enumerate(NAMES)))}),
        json.dumps({name: place for place, name in enumerate(NAMES)}),
    ],
)
def test_labels(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels").write_text(text, "utf-8")
    assert read_labels(tmp_path / "labels") == tuple(NAMES)


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": "b"}', "[", "{}x", '{"0": 3}', "[" * 100_000])
def test_labels_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels").write_text(text)
    with pytest.raises(InvalidOption):
        read_labels(tmp_path / "labels")


def test_no_files(tmp_path: Path) -> None:
    assert read_labels(None) == ()
    assert read_card(None) == {}
    for read in (read_labels, read_card):
        with pytest.raises(InvalidOption, match="cannot read"):
            read(tmp_path / "nothing")
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
        with pytest.raises(InvalidOption, match="cannot read"):
            read(tmp_path / "binary")


def test_words_for_emotions() -> None:
    assert list(map(emotion, ("Anger", " Happiness", "FEAR", "surprised", "contempt"))) == [
        "angry",
        "happy",
        "fear",
        "surprise",
        "contempt",
    ]


def test_the_users_members_win_table_by_table() -> None:
    made = {"name": "a", "input": {"width": 1, "scale": [1.0]}, "options": {}}
    wished = {"input": {"scale": [2.0]}, "version": "2"}
    assert merge(made, wished) == {"name": "a", "input": {"width": 1, "scale": [2.0]}, "options": {}, "version": "2"}
    assert made["input"] == {"width": 1, "scale": [1.0]}


@given(st.floats(0.01, 1000), st.floats(0.05, 2), st.integers(0, 2**32 - 1))
def test_the_curve_fits_distances_of_any_scale(scale: float, overlap: float, seed: int) -> None:
    """Between the two crowds lies the middle, and nearer is likelier, whatever the unit of the distance."""
    random = np.random.default_rng(seed)
    near, far = random.normal(1, overlap / 4, 200), random.normal(2, overlap / 4, 200)
    middle, slope = fit_logistic(np.concatenate([near, far]) * scale, np.arange(400) < 200)
    assert slope > 0
    assert near.mean() * scale < middle < far.mean() * scale
