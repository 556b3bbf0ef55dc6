"""What every engine asks of its inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.engines.base import Tensor, check_inputs, ones_like
from sightline.engines.registry import open_engine
from sightline.errors import EngineError
from sightline.settings import Settings

PICTURE = Tensor("picture", (None, 3, 8, 8), np.dtype(np.float32))


def test_inputs_that_fit_pass() -> None:
    for count in (1, 5):
        check_inputs((PICTURE,), (np.zeros((count, 3, 8, 8), np.float32),))
    check_inputs((), ())


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ((), "1 inputs, not 0"),
        ((np.zeros((1, 3, 8, 8), np.float32),) * 2, "1 inputs, not 2"),
        ((np.zeros((1, 3, 8, 9), np.float32),), "shape"),
        ((np.zeros((3, 8, 8), np.float32),), "shape"),
        ((np.zeros((1, 1, 3, 8, 8), np.float32),), "shape"),
        ((np.zeros((1, 3, 8, 8), np.float64),), "float64"),
        ((np.zeros((1, 3, 8, 8), np.uint8),), "uint8"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(arrays: tuple[np.ndarray, ...], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        check_inputs((PICTURE,), arrays)


def test_a_warm_up_fits() -> None:
    array = ones_like(PICTURE)
    assert array.shape == (1, 3, 8, 8)
    check_inputs((PICTURE,), (array,))


def test_an_engine_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="litert"):
        open_engine("torch", tmp_path / "weights.pt", Settings(cache=tmp_path))
