"""Engines that tasks share, and batches of real networks."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.engines.onnx import OnnxEngine
from sightline.errors import EngineError
from sightline.models.store import Store
from sightline.serving.batcher import Batcher
from sightline.serving.executors.processes import Processes
from sightline.serving.executors.threads import Threads
from sightline.serving.workshop import Workshop
from sightline.settings import Settings

SHIPPED = ("emotion-small", "lungs-bcdunet", "portraits-deeplab", "siamese-small")


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(Settings(), pull=False)


def shop(store: Store, *, workers: int = 2, **chosen: object) -> Workshop:
    return Workshop(Settings(**chosen), store, {}, workers)  # type: ignore[arg-type]


def test_a_file_is_opened_once_and_let_go_with_its_last_user(store: Store) -> None:
    made = shop(store)
    path = store.weights(store.card("emotion-small"))
    first, second = made.engine("onnx", path, made.settings), made.engine("onnx", path, made.settings)
    assert first is second
    assert len(made._open) == 1
    del first, second
    gc.collect()
    assert len(made._open) == 0


def test_a_changed_file_is_another_engine(store: Store, tmp_path: Path) -> None:
    made = shop(store)
    path = tmp_path / "model.onnx"
    path.write_bytes(store.weights(store.card("emotion-small")).read_bytes())
    first = made.engine("onnx", path, made.settings)
    path.write_bytes(store.weights(store.card("siamese-small")).read_bytes())
    assert made.engine("onnx", path, made.settings) is not first


def test_the_executor_is_the_one_asked_for(store: Store) -> None:
    for kind, expected in (("threads", Threads), ("processes", Processes)):
        made = shop(store, executor=kind)
        executor = made.executor(made.residents(made.load))
        assert isinstance(executor, expected)
        executor.stop()


@pytest.mark.parametrize("name", SHIPPED)
def test_eight_in_a_batch_answer_as_eight_alone(store: Store, name: str) -> None:
    """Real networks, whatever a row's neighbours are."""
    card = store.card(name)
    made = shop(store, workers=8, sessions=1, batch_size=8, batch_wait_ms=2000)
    runs: list[int] = []
    made.watch = lambda model, rows: runs.append(rows)
    engine = made.engine("onnx", store.weights(card), made.settings)
    channels = 1 if card.input.colour == "L" else 3
    random = np.random.default_rng(7)
    size = (8, channels, card.input.height, card.input.width)
    rows = random.random(size, np.float32)
    alone = OnnxEngine(store.weights(card), replace(Settings(), threads=1))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda n: engine.run(rows[n : n + 1]), range(8)))
    assert max(runs) > 1
    for n, outputs in enumerate(together):
        for mine, single in zip(outputs, alone.run(rows[n : n + 1]), strict=True):
            np.testing.assert_allclose(mine, single, rtol=1e-3, atol=2e-5)


def test_a_wrong_row_fails_alone_with_a_real_network(store: Store) -> None:
    card = store.card("emotion-small")
    made = shop(store, workers=4, sessions=1, batch_wait_ms=500)
    engine = made.engine("onnx", store.weights(card), made.settings)
    good = np.zeros((1, 1, card.input.height, card.input.width), np.float32)

    def ask(rows: np.ndarray) -> object:
        try:
            return engine.run(rows)[0].shape
        except EngineError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, [good, good[..., :-1], good, good.astype(np.float64)]))
    assert found[0] == found[2] == (1, 7)
    assert isinstance(found[1], EngineError)
    assert isinstance(found[3], EngineError)


def test_engines_with_a_session_a_worker_are_not_batched(store: Store) -> None:
    made = shop(store, workers=1, sessions=1)
    engine = made.engine("onnx", store.weights(store.card("emotion-small")), made.settings)
    assert not isinstance(engine._engine, Batcher)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("place", "name"), [("cache/models/some/1.2", "some"), ("models/mine", "mine")])
def test_batches_are_told_by_the_models_name(store: Store, tmp_path: Path, place: str, name: str) -> None:
    """Also where pulled weights lie in a folder of their version."""
    path = tmp_path / place / "model.onnx"
    path.parent.mkdir(parents=True)
    card = store.card("emotion-small")
    path.write_bytes(store.weights(card).read_bytes())
    made = shop(store, workers=2, sessions=1, cache=tmp_path / "cache")
    told: list[tuple[str, int]] = []
    made.watch = lambda model, rows: told.append((model, rows))
    made.engine("onnx", path, made.settings).run(np.zeros((1, 1, card.input.height, card.input.width), np.float32))
    assert told == [(name, 1)]
