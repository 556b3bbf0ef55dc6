"""How pictures become inputs, and how two detectors become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sightline.architectures.base import Architecture
from sightline.architectures.face_finder import FaceFinder
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine
from tests.fakes.models import FakeDetector, found

BATCH = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)


def prepared(**spec: Any) -> np.ndarray:
    made = card(input={"width": 7, "height": 5, **spec})
    return Architecture(made, FakeEngine(lambda batch: batch)).prepare(BATCH)


def test_a_plain_card_changes_nothing_but_the_type() -> None:
    values = prepared()
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert np.array_equal(values, BATCH)


def test_mean_scale_colour_and_layout_are_the_card_s() -> None:
    mean, scale = [10.0, 20.0, 30.0], [0.5, 0.25, 2.0]
    wanted = (BATCH.astype(np.float32) - mean) * scale
    assert prepared(mean=mean, scale=scale) == pytest.approx(wanted)
    swapped = (BATCH[..., ::-1].astype(np.float32) - mean) * scale
    assert prepared(mean=mean, scale=scale, colour="BGR") == pytest.approx(swapped)
    channels_first = prepared(mean=mean, scale=scale, layout="NCHW")
    assert channels_first.flags.c_contiguous
    assert channels_first == pytest.approx(wanted.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("colour", ["RGB", "BGR", "L"])
def test_every_byte_becomes_what_computing_it_gives_to_the_last_bit(colour: str) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    mean, scale = [122.782, 117.001, 104.298], [1 / 127.5, 0.00390625, 0.017124753831663668]
    made = Architecture(card(input={"width": 16, "height": 16, "mean": mean, "scale": scale, "colour": colour}), None)  # type: ignore[arg-type]
    channels = 1 if colour == "L" else 3
    wanted = (every.astype(np.float32) - np.float32(mean)) * np.float32(scale)
    assert np.array_equal(made.prepare(every), wanted[..., :channels])


def test_grey_has_one_channel_whether_or_not_the_card_gives_its_mean() -> None:
    grey = BATCH @ np.array([0.299, 0.587, 0.114])
    assert prepared(colour="L").shape == (2, 5, 7, 1)
    assert prepared(colour="L")[..., 0] == pytest.approx(grey, abs=0.6)
    values = prepared(colour="L", layout="NCHW", mean=[127.0], scale=[0.5])
    assert values.shape == (2, 1, 5, 7)
    assert values[:, 0] == pytest.approx((grey - 127) / 2, abs=0.3)


def test_warming_runs_ones_of_the_engine_s_shape() -> None:
    engine = FakeEngine(lambda batch: batch, (None, 3, 8, 8))
    Architecture(card(), engine).warm()
    assert [array.shape for (array,) in engine.seen] == [(1, 3, 8, 8)]


class Near(FakeDetector):
    def __init__(self, *faces: Any) -> None:
        super().__init__(faces)
        self.card = card(name="near", thresholds={"score": 0.5, "closeup": 0.7}, options={"closeup_side": 0.4})


PIXELS = np.zeros((100, 200, 3), np.uint8)


def boxes(far: list[Any], near: list[Any], at_least: float | None = None) -> list[tuple[float, float]]:
    finder = FaceFinder(FakeDetector(far), Near(*near))
    return [(face.box.x, face.confidence) for face in finder.detect(PIXELS, at_least)]


def test_what_is_far_is_the_far_sighted_one_s() -> None:
    assert boxes([found(10, 10, 20, 20, 0.9), found(60, 10, 20, 20, 0.6)], []) == [(10, 0.9), (60, 0.6)]
    # Small, or doubtful: near's word does not count.
    assert boxes([], [found(10, 10, 39, 39, 0.9), found(60, 10, 60, 60, 0.69)]) == []


def test_a_close_up_is_the_near_sighted_one_s() -> None:
    far = [found(20, 15, 70, 70, 0.95), found(40, 40, 10, 10, 0.8), found(150, 10, 20, 20, 0.6)]
    # What lies inside of the close-up or overlaps it is the same face; the rest stays, most confident first.
    assert boxes(far, [found(10, 10, 80, 80, 0.7)]) == [(10, 0.7), (150, 0.6)]
    assert boxes([found(150, 10, 20, 20, 0.9)], [found(10, 10, 80, 80, 0.7)]) == [(150, 0.9), (10, 0.7)]


def test_asking_for_doubtful_faces_reaches_both() -> None:
    far, near = [found(150, 10, 20, 20, 0.35)], [found(10, 10, 80, 80, 0.3)]
    assert boxes(far, near) == []
    assert boxes(far, near, 0.3) == [(150, 0.35), (10, 0.3)]


def test_both_are_warmed_and_named() -> None:
    far, near = FakeDetector(), Near()
    finder = FaceFinder(far, near)
    finder.warm()
    assert (far.warmed, near.warmed) == (1, 1)
    assert [made.name for made in finder.cards] == ["fake-detector", "near"]
