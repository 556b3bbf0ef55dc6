"""Figures of face verification against data whose figures are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from sightline.errors import InvalidOption
from sightline.evaluation.similarity import (
    Pairs,
    auc,
    best_threshold,
    evaluate,
    figures,
    fit_logistic,
    read_pairs,
    tar_at_far,
)
from sightline.settings import Settings
from sightline.tasks.similarity import Similarity
from tests.fakes.models import BrightFaces, FakeEmbedder, FakeMesher

distance = st.one_of(st.floats(0, 2), st.sampled_from([0.0, 0.5, 0.6, 1.0]))


@st.composite
def judged(draw: st.DrawFn, infinite: bool = False, both: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Distances and whether each is one person's."""
    value = st.one_of(distance, st.just(math.inf)) if infinite else distance
    rows = draw(st.lists(st.tuples(value, st.booleans()), min_size=2, max_size=30))
    if both:
        rows += [(draw(value), True), (draw(value), False)]
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(judged())
def test_auc_is_scikit_learn_s(data: tuple[np.ndarray, np.ndarray]) -> None:
    distances, same = data
    assert auc(distances, same) == pytest.approx(roc_auc_score(same, -distances))


def test_auc_knows_pictures_without_faces() -> None:
    assert auc(np.array([0.1, math.inf, 0.5, math.inf]), np.array([True, True, False, False])) == pytest.approx(0.625)


@given(judged(infinite=True, both=False))
@example((np.array([1.0, math.inf, math.inf]), np.array([False, True, True])))
@example((np.array([1.0, 1.0, 1.0]), np.array([True, True, False])))
@example((np.array([0.5, math.inf]), np.array([True, False])))
def test_no_threshold_is_better_than_the_best(data: tuple[np.ndarray, np.ndarray]) -> None:
    distances, same = data

    def right(threshold: float) -> int:
        return int(((distances < threshold) == same).sum())

    finite = distances[np.isfinite(distances)]
    candidates = [0.0, 1e9, *finite, *np.nextafter(finite, np.inf)]
    assert right(best_threshold(distances, same)) == max(map(right, candidates))


def test_the_best_threshold_lies_in_the_middle_of_its_gap() -> None:
    assert best_threshold(np.array([0.2, 0.4, 0.8, 0.9]), np.array([True, True, False, False])) == pytest.approx(0.6)
    # A face that was not found is infinitely far from all: the finite pairs must still be told apart.
    threshold = best_threshold(np.array([0.2, 0.4, math.inf]), np.array([True, True, False]))
    assert 0.4 < threshold < 0.41


def test_acceptance_at_a_rate_of_false_acceptance() -> None:
    same = np.array([True] * 4 + [False] * 100)
    distances = np.concatenate([[0.1, 0.35, 0.5, 2.0], np.linspace(0.3, 1.29, 100)])
    # One of the hundred others may be accepted: below 0.31, the second nearest of them.
    assert tar_at_far(distances, same, 1e-2) == 0.25
    # None may: below 0.30.
    assert tar_at_far(distances, same, 1e-3) == 0.25
    # Ten may: below 0.40.
    assert tar_at_far(distances, same, 0.1) == 0.5
    assert tar_at_far(distances, same, 0.25) == 0.75


@given(judged(), st.sampled_from([1e-3, 1e-2, 0.1, 0.3]))
def test_as_many_are_accepted_as_the_rate_allows(data: tuple[np.ndarray, np.ndarray], rate: float) -> None:
    distances, same = data
    got = tar_at_far(distances, same, rate)
    others = distances[~same]
    # The largest share that some threshold accepts without passing the rate.
    thresholds = [value for value in [*distances, 3.0] if (others < value).mean() <= rate]
    best = max(float((distances[same] < value).mean()) for value in thresholds)
    assert got == pytest.approx(best)


def test_the_curve_is_found_again() -> None:
    rng = np.random.default_rng(8)
    distances = rng.uniform(0, 1.2, 20_000)
    same = rng.random(20_000) < 1 / (1 + np.exp(15 * (distances - 0.55)))
    middle, slope = fit_logistic(distances, same)
    assert middle == pytest.approx(0.55, abs=0.01)
    assert slope == pytest.approx(15, rel=0.05)


def test_figures_of_a_perfect_and_of_a_useless_distance() -> None:
    same = np.tile(np.repeat([True, False], 5), 10)
    pairs = Pairs([("a", "b")] * 100, same, np.repeat(np.arange(10), 10))
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 0.1, 100)
    perfect = figures(np.where(same, 0.3, 0.9) + noise, pairs, 0.6)
    assert perfect["accuracy"] == perfect["auc"] == perfect["tar_at_far_1e-2"] == perfect["tar_at_far_1e-3"] == 1
    assert perfect["accuracy_std"] == 0
    assert 0.4 < perfect["threshold"] < 0.9
    assert (perfect["accuracy_at_threshold"], perfect["card_threshold"]) == (1, 0.6)
    json.dumps(perfect, allow_nan=False)
    useless = figures(rng.permutation(noise), pairs, 0.6)
    assert useless["accuracy"] < 0.7
    assert 0.3 < useless["auc"] < 0.7
    assert useless["accuracy_at_threshold"] == 0.5


def test_each_fold_is_judged_by_the_others() -> None:
    # The first fold's own best threshold is 0.3 and the second's 0.7: each is half right on the other. With one
    # threshold for all, three quarters would be right.
    same = np.array([True, True, False, False] * 2)
    distances = np.array([0.1, 0.2, 0.4, 0.6, 0.5, 0.6, 0.8, 0.9])
    pairs = Pairs([("a", "b")] * 8, same, np.repeat([0, 1], 4))
    got = figures(distances, pairs, 0.3)
    assert (got["accuracy"], got["accuracy_std"], got["accuracy_at_threshold"]) == (0.5, 0, 0.75)
    assert got["threshold"] == pytest.approx(0.5)


PROTOCOL = "2 1\nAda 1 2\nAda 1 Bob 1\nBob 1 2\nBob 2 Ada 2\n"


def test_a_protocol_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(PROTOCOL.replace(" ", "\t") + "\n")
    pairs = read_pairs(path)
    assert pairs.names == [
        ("Ada_0001", "Ada_0002"),
        ("Ada_0001", "Bob_0001"),
        ("Bob_0001", "Bob_0002"),
        ("Bob_0002", "Ada_0002"),
    ]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "not an LFW pairs file"),
        ("", "not an LFW pairs file"),
        ("ten 300\n", "not an LFW pairs file"),
        ("1000\nAda 1 2\n", "not an LFW pairs file"),
        ("2 1\nAda 1 2\nAda one Bob 1\n", "line 3"),
        ("2 1\nAda 1 2 3 4\n", "line 2: 5 columns"),
        ("2 1\nAda 1\n", "line 2: 2 columns"),
        ("2 1\nAda 1 2\n", "announces 4 pairs and has 1"),
        ("0 5\n", "at least|least"),
        ("1 1\nAda 1 2\nAda 1 Bob 1\n", "least"),
        ("-1 -1\nAda 1 2\nAda 1 Bob 1\n", "least"),
    ],
)
def test_a_protocol_that_is_none(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "pairs.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidOption, match=said):
        read_pairs(path)


def test_evaluating_a_folder(tmp_path: Path) -> None:
    colours = {"Ada_0001": (200, 0, 0), "Ada_0002": (190, 5, 0), "Bob_0001": (0, 200, 0), "Bob_0002": (0, 0, 0)}
    (tmp_path / "Ada").mkdir()
    for name, colour in colours.items():
        picture = np.zeros((60, 60, 3), np.uint8)
        picture[10:50, 10:50] = colour
        folder = tmp_path / "Ada" if name.startswith("Ada") else tmp_path
        Image.fromarray(picture).save(folder / f"{name}.png")
    protocol = tmp_path / "pairs.txt"
    protocol.write_text(PROTOCOL)
    task = Similarity(FakeEmbedder(), BrightFaces(), FakeMesher(), Settings(cache=tmp_path, offline=True))
    seen: list[tuple[int, int]] = []
    got: dict[str, Any] = evaluate(task, tmp_path, protocol, 2, lambda done, total: seen.append((done, total)))
    assert got["n"] == 4
    # Bob's second picture has no face: both of its pairs count as unlike, one of them wrongly.
    assert got["skipped"] == {"count": 1, "why": {"Bob_0002": "no_face"}}
    assert got["accuracy_at_threshold"] == 0.75
    assert got["card_threshold"] == 0.4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    (tmp_path / "Bob_0001.png").unlink()
    with pytest.raises(InvalidOption, match="Bob_0001"):
        evaluate(task, tmp_path, protocol, 1)
    with pytest.raises(InvalidOption, match="not a folder"):
        evaluate(task, tmp_path / "absent", protocol, 1)
