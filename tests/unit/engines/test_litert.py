"""LiteRT on a pulled network: the selfie segmenter."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sightline.engines.base import ones_like
from sightline.engines.litert import LiteRTEngine
from sightline.engines.registry import open_engine
from sightline.errors import EngineError
from sightline.models.store import Store
from sightline.settings import Settings


@pytest.fixture(scope="module")
def weights() -> Path:
    store = Store(Settings.from_env())
    return store.weights(store.card("selfie"))


@pytest.fixture(scope="module")
def engine(weights: Path) -> LiteRTEngine:
    made = open_engine("litert", weights, Settings(cache=Path("unused"), threads=1))
    assert isinstance(made, LiteRTEngine)
    return made


@pytest.mark.models
def test_it_says_what_goes_in_and_out(engine: LiteRTEngine) -> None:
    assert [(t.shape, t.dtype) for t in engine.inputs] == [((None, 256, 256, 3), np.dtype(np.float32))]
    assert [t.shape for t in engine.outputs] == [(None, 256, 256, 1)]
    (output,) = engine.run(*map(ones_like, engine.inputs))
    assert output.shape == (1, 256, 256, 1)
    assert output.dtype == np.float32
    assert 0 <= output.min() <= output.max() <= 1


@pytest.mark.models
@pytest.mark.parametrize(
    "arrays",
    [
        (),
        (np.zeros((1, 256, 256, 3), np.float32),) * 2,
        (np.zeros((256, 256, 3), np.float32),),
        (np.zeros((1, 3, 256, 256), np.float32),),
        (np.zeros((1, 256, 256, 3), np.uint8),),
    ],
)
def test_inputs_that_do_not_fit(engine: LiteRTEngine, arrays: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(EngineError):
        engine.run(*arrays)


@pytest.mark.models
def test_several_at_once_are_answered_as_each_alone(engine: LiteRTEngine) -> None:
    batch = np.random.default_rng(1).random((3, 256, 256, 3), np.float32)
    (together,) = engine.run(batch)
    alone = np.concatenate([engine.run(batch[index : index + 1])[0] for index in range(3)])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.models
def test_an_answer_is_not_overwritten_by_the_next(engine: LiteRTEngine) -> None:
    (first,) = engine.run(np.zeros((1, 256, 256, 3), np.float32))
    before = first.copy()
    engine.run(np.random.default_rng(0).random((1, 256, 256, 3), np.float32))
    assert np.array_equal(first, before)


@pytest.mark.models
def test_many_threads_at_once_with_one_interpreter_each(engine: LiteRTEngine) -> None:
    rng = np.random.default_rng(2)
    inputs = [rng.random((1, 256, 256, 3), np.float32) for _ in range(4)]
    wanted = [engine.run(x)[0] for x in inputs]
    together = threading.Barrier(4, timeout=30)
    interpreters = {}

    def work(index: int) -> list[bool]:
        together.wait()
        same = [np.array_equal(engine.run(inputs[(index + i) % 4])[0], wanted[(index + i) % 4]) for i in range(6)]
        interpreters[threading.get_ident()] = engine._interpreter()
        assert engine._interpreter() is interpreters[threading.get_ident()]
        together.wait()
        return same

    with ThreadPoolExecutor(4) as pool:
        assert all(all(same) for same in pool.map(work, range(4)))
    assert len({id(interpreter) for interpreter in interpreters.values()}) == 4


@pytest.mark.models
def test_a_truncated_file(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.tflite"
    for share in (0.001, 0.5, 0.99):
        data = weights.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(EngineError, match=r"weights\.tflite") as caught:
            LiteRTEngine(path, Settings(cache=tmp_path))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"not a network", b"\x1c\0\0\0TFL3" + b"\xff" * 400])
def test_a_file_that_is_no_network(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.tflite"
    path.write_bytes(data)
    with pytest.raises(EngineError, match=r"weights\.tflite"):
        LiteRTEngine(path, Settings(cache=tmp_path))


def test_a_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot read weights\.tflite"):
        LiteRTEngine(tmp_path / "weights.tflite", Settings(cache=tmp_path))
