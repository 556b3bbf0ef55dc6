"""ONNX Runtime on a network written here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.engines.onnx import OnnxEngine
from sightline.engines.registry import open_engine
from sightline.errors import EngineError, ProviderMissing
from sightline.settings import Settings

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
PLAIN = Settings(cache=Path("unused"), threads=1)


def network(kind: int = TensorProto.FLOAT) -> bytes:
    """N x 4 numbers in; out comes their product with MATRIX, and its sum."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "matrix"], ["product"]),
            helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["batch", 4])],
        [
            helper.make_tensor_value_info("product", kind, ["batch", 3]),
            helper.make_tensor_value_info("sum", kind, []),
        ],
        [numpy_helper.from_array(MATRIX.astype(helper.tensor_dtype_to_np_dtype(kind)), "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    path.write_bytes(network())
    return path


def test_it_says_what_goes_in_and_out_and_computes_it(weights: Path) -> None:
    engine = open_engine("onnx", weights, PLAIN)
    assert isinstance(engine, OnnxEngine)
    assert [(t.name, t.shape, t.dtype) for t in engine.inputs] == [("x", (None, 4), np.dtype(np.float32))]
    assert [(t.name, t.shape) for t in engine.outputs] == [("product", (None, 3)), ("sum", ())]
    for count in (1, 7):
        x = np.random.default_rng(count).normal(size=(count, 4)).astype(np.float32)
        product, total = engine.run(x)
        assert product == pytest.approx(x @ MATRIX, rel=1e-5, abs=1e-5)
        assert float(total) == pytest.approx(float((x @ MATRIX).sum()), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    "arrays",
    [
        (),
        (np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)),
        (np.zeros((1, 5), np.float32),),
        (np.zeros(4, np.float32),),
        (np.zeros((1, 4), np.float64),),
        (np.zeros((1, 4), np.int32),),
    ],
)
def test_inputs_that_do_not_fit(weights: Path, arrays: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(EngineError):
        OnnxEngine(weights, PLAIN).run(*arrays)


def test_a_provider_that_is_absent_is_never_replaced(weights: Path) -> None:
    absent = "CUDAExecutionProvider"
    if absent in onnxruntime.get_available_providers():
        absent = "NoSuchExecutionProvider"
    for providers in ((absent,), (absent, "CPUExecutionProvider"), ("CPUExecutionProvider", absent)):
        with pytest.raises(ProviderMissing, match=absent):
            OnnxEngine(weights, Settings(cache=Path("unused"), providers=providers))


@pytest.mark.parametrize("level", ["off", "basic", "extended", "all"])
def test_every_graph_level_gives_the_same(weights: Path, level: str) -> None:
    engine = OnnxEngine(weights, Settings(cache=Path("unused"), graph_level=level, threads=2))
    assert engine.run(np.ones((2, 4), np.float32))[0].tolist() == [[18, 22, 26]] * 2


def test_settings_reach_the_session(weights: Path) -> None:
    session = OnnxEngine(weights, Settings(cache=Path("unused"), graph_level="basic", threads=3))._session
    options = session.get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("damage", ["empty", "truncated", "foreign", "absent", "folder"])
def test_a_file_that_is_no_network(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    data = {"empty": b"", "truncated": network()[:-40], "foreign": b"\x89PNG\r\n\x1a\n" * 20}.get(damage)
    if data is not None:
        path.write_bytes(data)
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(EngineError, match=r"weights\.onnx") as caught:
        OnnxEngine(path, PLAIN)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, ProviderMissing)


def test_double_precision_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "double.onnx"
    path.write_bytes(network(TensorProto.DOUBLE))
    engine = OnnxEngine(path, PLAIN)
    assert engine.inputs[0].dtype == np.float64
    assert engine.run(np.ones((1, 4)))[0].dtype == np.float64


def test_a_failure_while_running_is_an_engine_error(tmp_path: Path) -> None:
    # Whether 2 rows broadcast over 3 is known only when the rows are there.
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "three"], ["y"])],
        "broadcast",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["out"])],
        [numpy_helper.from_array(np.zeros(3, np.float32), "three")],
    )
    path = tmp_path / "broadcast.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path.write_bytes(made.SerializeToString())
    engine = OnnxEngine(path, PLAIN)
    assert engine.run(np.ones(3, np.float32))[0].tolist() == [1, 1, 1]
    with pytest.raises(EngineError, match="failed") as caught:
        engine.run(np.ones(2, np.float32))
    assert "\n" not in str(caught.value)


def test_many_threads_get_their_own_answers(weights: Path) -> None:
    engine = OnnxEngine(weights, PLAIN)
    inputs = [np.full((1 + i % 3, 4), i, np.float32) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for x, (product, _) in zip(inputs, pool.map(engine.run, inputs), strict=True):
            assert product == pytest.approx(x @ MATRIX)
