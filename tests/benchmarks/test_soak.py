"""The soak's own judgement: what is wrong is called wrong, and what is sent is what it says."""

from __future__ import annotations

import io
import json

import pytest
import soak
from PIL import Image
from serving.load import Outcome


@pytest.fixture(scope="module")
def sent() -> list[soak.Kind]:
    return soak.kinds()


def _refused(status: int, code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "", "request_id": "1"}}).encode()


def test_answers_that_are_not_right_for_their_kind_are_wrong(sent: list[soak.Kind]) -> None:
    photo, damaged = sent[0], next(kind for kind in sent if kind.name == "truncated JPEG")
    outcomes = [
        Outcome(0, 200, 0.01, 1.0),
        Outcome(0, 503, 0.01, 1.0, _refused(503, "busy")),
        Outcome(0, 500, 0.01, 1.0, _refused(500, "internal_error")),
        Outcome(1, 200, 0.01, 1.0),
        Outcome(1, 400, 0.01, 1.0, _refused(400, "invalid_image")),
        Outcome(1, 0, 0.01, 1.0, b"ConnectionResetError"),
    ]
    answers, rows, wrong = soak.judge(outcomes, [photo, damaged])
    assert wrong == {
        "good photo: 500 internal_error": 1,
        "truncated JPEG: 200": 1,
        "truncated JPEG: no answer (ConnectionResetError)": 1,
    }
    assert answers["200"] == 2
    assert {row[0]: row[1] for row in rows} == {"good photo": "3", "truncated JPEG": "3"}


def test_growth_counts_from_when_the_server_is_warm() -> None:
    samples = [{"requests": float(at), "rss_mb": 50.0 if at < 100 else 200.0 + at / 100} for at in range(0, 1000, 10)]
    found = soak.growth(samples, 100)
    assert found["warm_mb"] == pytest.approx(202, abs=1)
    assert found["growth"] == pytest.approx(7 / 202, abs=0.005)


def test_bombs_are_small_and_declare_many_pixels() -> None:
    data = soak._bomb(9_000, 9_000)
    assert len(data) < 20_000
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (9_000, 9_000)


def test_the_order_is_the_same_each_time_and_has_every_kind(sent: list[soak.Kind]) -> None:
    order = soak.mixed(sent, 3000)
    assert order == soak.mixed(sent, 3000)
    picked = [kind.name for kind in sent for _ in kind.requests]
    assert {picked[place] for place in order} == {kind.name for kind in sent}
