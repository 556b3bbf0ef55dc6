"""Thresholds for a wanted false-match rate, their intervals, and what similarity means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression

from sightline.collections.base import Calibration
from sightline.collections.calibrate import calibrate, clopper_pearson, fit
from sightline.errors import InvalidOption
from tests.fakes.cards import card


def pairs(same: int, different: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distances of faces that overlap a little, and their labels."""
    chance = np.random.default_rng(seed)
    distances = np.concatenate([chance.normal(0.4, 0.08, same), chance.normal(0.8, 0.08, different)])
    return np.abs(distances), np.arange(same + different) < same


@given(trials=st.integers(1, 5000), data=st.data())
def test_intervals_are_clopper_and_pearsons(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    truth = stats.binomtest(hits, trials).proportion_ci(0.95, "exact")
    assert clopper_pearson(hits, trials) == pytest.approx((truth.low, truth.high), abs=1e-9)


def test_intervals_of_very_many_pairs() -> None:
    truth = stats.binomtest(200, 2_000_000).proportion_ci(0.95, "exact")
    assert clopper_pearson(200, 2_000_000) == pytest.approx((truth.low, truth.high), rel=1e-6)


@given(rate=st.sampled_from([0.001, 0.003, 0.01, 0.1, 0.5]), seed=st.integers(0, 999), rounded=st.booleans())
def test_the_wanted_rate_is_kept_and_used(rate: float, seed: int, rounded: bool) -> None:
    distances, same = pairs(300, 1000, seed)
    if rounded:  # equal distances, which no threshold can part
        distances = np.round(distances, 2)
    try:
        measured = calibrate(distances, same, rate, "drawn")
    except InvalidOption:
        assume(False)
    wrong = (distances[~same] <= measured.threshold).mean()
    assert wrong == measured.false_match_rate <= rate
    assert measured.true_match_rate == (distances[same] <= measured.threshold).mean()
    low, high = measured.false_match_interval
    assert low <= wrong <= high
    if not rounded:
        assert wrong > rate - 1 / 1000 - 1e-9, "no stricter than need be"
    assert measured.calibration.similarity(measured.threshold) == pytest.approx(80)
    assert measured.calibration.distance(80) == pytest.approx(measured.threshold)
    assert (measured.calibration.false_match_rate, measured.calibration.pairs) == (rate, 1300)
    assert (measured.same, measured.different) == (300, 1000)
    assert measured.calibration.spread == pytest.approx((distances[same] ** 2).mean() / 2)


def test_the_rate_holds_for_pairs_that_were_not_seen() -> None:
    measured = calibrate(*pairs(2000, 20_000, 1), 0.01, "drawn")
    distances, same = pairs(2000, 20_000, 2)
    low, high = measured.false_match_interval
    assert low / 1.5 < (distances[~same] <= measured.threshold).mean() < high * 1.5


def test_the_curve_is_platts() -> None:
    distances, same = pairs(800, 1200)
    middle, slope = fit(distances, same)
    target = np.where(same, 801 / 802, 1 / 1202)
    reference = LogisticRegression(C=1e8, max_iter=1000, tol=1e-10).fit(
        np.tile(distances, 2)[:, None], np.repeat([1, 0], 2000), np.concatenate([target, 1 - target])
    )
    assert slope == pytest.approx(-reference.coef_[0, 0], rel=0.001)
    assert middle == pytest.approx(-reference.intercept_[0] / reference.coef_[0, 0], rel=0.001)


def test_pairs_told_apart_without_error_give_a_finite_curve() -> None:
    middle, slope = fit(np.array([0.1, 0.2, 0.9, 1.0]), np.array([True, True, False, False]))
    assert 0.2 < middle < 0.9
    assert 0 < slope < 100


@pytest.mark.parametrize(
    ("distances", "same", "rate"),
    [
        ([0.1] * 5 + [0.9] * 99, [True] * 5 + [False] * 99, 0.01),
        ([0.9] * 200, [False] * 200, 0.01),
        ([0.1] * 200, [True] * 200, 0.01),
        ([0.9] * 5 + [0.1] * 200, [True] * 5 + [False] * 200, 0.01),
        ([0.5] * 300, [True, False] * 150, 0.01),
        ([0.1] + [math.inf] * 200, [True] + [False] * 200, 0.01),
        ([0.1] + [math.nan] * 200, [True] + [False] * 200, 0.01),
        ([0.1] + [0.0] * 200, [True] + [False] * 200, 0.01),
        ([0.1] + [0.9] * 200, [True] + [False] * 200, 0.0),
        ([0.1] + [0.9] * 200, [True] + [False] * 200, 1.0),
        ([0.1] + [0.9] * 200, [True] + [False] * 200, math.nan),
        ([], [], 0.01),
    ],
)
def test_pairs_that_show_nothing_are_refused(distances: list[float], same: list[bool], rate: float) -> None:
    with pytest.raises(InvalidOption):
        calibrate(np.array(distances, float), np.array(same, bool), rate, "x")


@given(middle=st.floats(0.1, 2), slope=st.floats(1, 200), similarity=st.floats(0.001, 99.999))
def test_similarity_and_distance_undo_each_other(middle: float, slope: float, similarity: float) -> None:
    calibration = Calibration(middle, slope, "x")
    distance = calibration.distance(similarity)
    assert distance >= 0
    if distance > 0:
        assert calibration.similarity(distance) == pytest.approx(similarity, rel=1e-6)
    else:
        assert calibration.similarity(0.0) <= similarity + 1e-9


@given(distances=st.lists(st.floats(0, 1e6), min_size=2, max_size=5))
def test_similarity_falls_with_distance(distances: list[float]) -> None:
    calibration = Calibration(0.606, 50.2, "x")
    values = [calibration.similarity(distance) for distance in sorted(distances)]
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 100 for value in values)
    assert calibration.similarity(0.606) == pytest.approx(50)


def test_the_ends_of_the_scale() -> None:
    calibration = Calibration(0.606, 50.2, "x")
    assert calibration.distance(0) == calibration.distance(-1) == math.inf
    assert calibration.distance(100) == calibration.distance(1000) == 0
    assert calibration.similarity(0.0) >= 99.99
    assert calibration.similarity(math.inf) < 1e-20


def test_a_card_states_its_calibration() -> None:
    stated = card(name="fake", version="7", options={"slope": 50, "middle": 0.6, "metric": "euclidean"})
    calibration = Calibration.of_card(stated)
    assert (calibration.middle, calibration.slope, calibration.false_match_rate) == (0.6, 50.0, None)
    assert calibration.source.startswith("the card of fake 7")
    with_spread = Calibration.of_card(card(options={"slope": 50, "middle": 0.6, "spread": 0.09}))
    assert (calibration.spread, with_spread.spread) == (0.0, 0.09)
    for options in ({}, {"slope": 1.0}, {"slope": 1.0, "middle": 2.0, "metric": "cosine"}):
        with pytest.raises(InvalidOption):
            Calibration.of_card(card(options=options))
