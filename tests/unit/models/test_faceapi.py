"""The face network as ONNX against a second writing of it: unfused, in NumPy, in face-api's own layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pytest

from sightline.engines.registry import open_engine
from sightline.errors import ModelError
from sightline.models.importers.faceapi import BLOCKS, FaceApiImporter, build, read_weights
from sightline.settings import Settings


def _shapes() -> Iterator[tuple[str, list[int]]]:
    def convolution(name: str, side: int, before: int, after: int) -> Iterator[tuple[str, list[int]]]:
        yield f"{name}/conv/filters", [side, side, before, after]
        for member in ("conv/bias", "scale/weights", "scale/biases"):
            yield f"{name}/{member}", [after]

    yield from convolution("conv32_down", 7, 3, 32)
    before = 32
    for block in BLOCKS:
        after = int(block.removeprefix("conv").partition("_")[0])
        yield from convolution(f"{block}/conv1", 3, before, after)
        yield from convolution(f"{block}/conv2", 3, after, after)
        before = after
    yield "fc", [256, 128]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights of the right shapes and of random values, part of them in 8 bits, as face-api publishes them."""
    folder, random = tmp_path_factory.mktemp("faceapi"), np.random.default_rng(7)
    entries, data = [], b""
    for name, shape in _shapes():
        entry = {"name": name, "shape": shape, "dtype": "float32"}
        if name.endswith("filters"):
            low, high = -1.0, 1.0
            low, high = (value / np.sqrt(np.prod(shape[:3])) for value in (low, high))
        elif name.endswith("scale/weights"):
            low, high = 0.5, 1.5
        else:
            low, high = -0.2, 0.2
        if "conv64" in name and name.endswith("filters"):  # the published file keeps these in full
            data += random.uniform(low, high, shape).astype("<f4").tobytes()
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": (high - low) / 255, "min": low}
            data += random.integers(0, 256, shape, np.uint8).tobytes()
        entries.append(entry)
    (folder / "w.bin").write_bytes(data)
    (folder / "w-weights_manifest.json").write_text(json.dumps([{"weights": entries, "paths": ["w.bin"]}]))
    return {path.name: path for path in folder.iterdir()}


def _convolve(x, w, name, stride, pad):
    filters = w[f"{name}/conv/filters"]
    side = filters.shape[0]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))[:, ::stride, ::stride]
    out = np.tensordot(windows, filters, ((4, 5, 3), (0, 1, 2))) + w[f"{name}/conv/bias"]
    return out * w[f"{name}/scale/weights"] + w[f"{name}/scale/biases"]


def _pool(x, side, reduce):
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))[:, ::2, ::2]
    return reduce(windows, axis=(4, 5))


def _reference(w, faces):
    x = np.maximum(_convolve(faces.transpose(0, 2, 3, 1).astype(np.float64), w, "conv32_down", 2, 0), 0)
    x = _pool(x, 3, np.max)
    for block in BLOCKS:
        down = "down" in block
        out = np.maximum(_convolve(x, w, f"{block}/conv1", 2 if down else 1, 0 if down else 1), 0)
        out = _convolve(out, w, f"{block}/conv2", 1, 1)
        short = _pool(x, 2, np.mean) if down else x
        total = np.zeros((*short.shape[:3], out.shape[3]))
        total[..., : short.shape[3]] += short
        total[:, : out.shape[1], : out.shape[2]] += out
        x = np.maximum(total, 0)
    return x.mean((1, 2)) @ w["fc"]


@pytest.fixture(scope="module")
def engine(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("onnx") / "model.onnx"
    FaceApiImporter().convert(files, output)
    return open_engine("onnx", output, Settings())


def test_it_computes_what_the_unfused_network_computes(files, engine):
    faces = np.random.default_rng(1).normal(0, 0.3, (2, 3, 150, 150)).astype(np.float32)
    (found,) = engine.run(faces)
    wanted = _reference(read_weights(files), faces)
    assert found.shape == (2, 128)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_a_batch_is_the_same_as_one_by_one(engine):
    faces = np.random.default_rng(2).normal(0, 0.3, (3, 3, 150, 150)).astype(np.float32)
    (together,) = engine.run(faces)
    apart = np.concatenate([engine.run(face[None])[0] for face in faces])
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-5)


def test_the_same_files_give_the_same_bytes(files, tmp_path):
    hashes = set()
    for number, order in enumerate((files, dict(reversed(files.items())))):
        FaceApiImporter().convert(order, tmp_path / f"{number}.onnx")
        hashes.add(hashlib.sha256((tmp_path / f"{number}.onnx").read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_bytes_are_dequantised_in_the_manifests_order(tmp_path):
    coded = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    entries = [
        {"name": "b", "shape": [2, 1], "dtype": "float32", "quantization": coded},
        {"name": "a", "shape": [1], "dtype": "float32"},
    ]
    (tmp_path / "w.bin").write_bytes(bytes([0, 4]) + np.float32(2.5).tobytes())
    (tmp_path / "manifest.json").write_text(json.dumps([{"weights": entries, "paths": ["w.bin"]}]))
    weights = read_weights({path.name: path for path in tmp_path.iterdir()})
    assert weights["b"].tolist() == [[-1.0], [1.0]]
    assert weights["a"].tolist() == [2.5]


@pytest.mark.parametrize("change", [lambda data: data + b"\0", lambda data: data[:-1], lambda data: b""])
def test_a_file_of_another_length_is_refused(files, tmp_path, change):
    (tmp_path / "w.bin").write_bytes(change(files["w.bin"].read_bytes()))
    with pytest.raises(ModelError):
        read_weights({**files, "w.bin": tmp_path / "w.bin"})


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"weights": [], "paths": ["other.bin"]}]'])
def test_a_manifest_that_is_none_is_refused(files, tmp_path, text):
    (tmp_path / "m").write_text(text)
    with pytest.raises(ModelError):
        build(read_weights({**files, "w-weights_manifest.json": tmp_path / "m"}))


def test_weights_of_another_network_are_refused(files):
    weights = read_weights(files)
    with pytest.raises(ModelError, match="fc is missing"):
        build({name: value for name, value in weights.items() if name != "fc"})
    with pytest.raises(ModelError, match="not the weights"):
        build({**weights, "fc": weights["fc"][:100]})
