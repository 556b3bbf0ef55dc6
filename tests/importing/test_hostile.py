"""Files that are damaged, or made to do harm: one clear error, nothing left behind, nothing run, nothing filled."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import ModelError, SightlineError
from sightline.importing import Request
from sightline.importing.apart import bring_apart
from sightline.importing.kinds import kind_of
from tests.importing import keras2
from tests.importing.shelf import Shelf
from tests.importing.tflite import network


@pytest.fixture(scope="module")
def good_h5(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "good.h5"
    weights = {"out": [("kernel", np.zeros((48 * 48, 7))), ("bias", np.zeros(7))]}
    flat = keras2.layer("Flatten", "flat", data_format="channels_last")
    config = keras2.sequential("net", (48, 48, 1), flat, keras2.dense("out", 7, "softmax"))
    keras2.write(path, config, {"flat": [], **weights})
    return path.read_bytes()


def test_truncated_and_spoilt_hdf5(shelf: Shelf, tmp_path: Path, good_h5: bytes) -> None:
    """In a process of its own, as the command does it: HDF5's own reader may crash on such files."""
    file = tmp_path / "net.h5"
    random = np.random.default_rng(0)
    spoilt = bytearray(good_h5)
    for place in random.integers(8, 4000, 300):
        spoilt[place] = int(random.integers(0, 256))
    for data in (good_h5[:100], good_h5[:3000], good_h5[: len(good_h5) // 2], bytes(spoilt)):
        file.write_bytes(data)
        with pytest.raises(ModelError):
            bring_apart(Request(file, "emotion", shelf.folder))
    assert shelf.is_empty()


def test_a_reader_that_dies_is_an_error(shelf: Shelf, tmp_path: Path, torch: Any) -> None:
    """The user's own code ends the process; the caller hears of it and lives."""
    import torch as framework

    (tmp_path / "code.py").write_text("import os\n\ndef network():\n    os._exit(3)\n")
    framework.save({}, tmp_path / "state.pt")
    request = Request(
        tmp_path / "state.pt", "emotion", shelf.folder, architecture=f"{tmp_path / 'code.py'}:network", trust=True
    )
    with pytest.raises(ModelError, match="made its reader crash"):
        bring_apart(request)


def test_layers_that_would_fill_the_memory(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    flat = keras2.layer("Flatten", "flat", data_format="channels_last")
    config = keras2.sequential("net", (48, 48, 1), flat, keras2.dense("out", 2_000_000_000, "linear"))
    keras2.write(tmp_path / "net.h5", config, {})
    with pytest.raises(ModelError):
        bring_apart(Request(tmp_path / "net.h5", "emotion", shelf.folder))
    assert shelf.is_empty()


def hdf5(path: Path) -> Any:
    import h5py

    return h5py.File(path, "a")


def test_hdf5_that_points_elsewhere(keras: Any, shelf: Shelf, tmp_path: Path, good_h5: bytes) -> None:
    import h5py

    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.zeros(7, np.float32).tobytes())
    layout = h5py.VirtualLayout((7,), np.float32)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (7,))

    def linked(group: Any) -> None:
        group["bias:0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")

    def soft(group: Any) -> None:
        group["bias:0"] = h5py.SoftLink("/model_weights/out/out/kernel:0")

    def stored(group: Any) -> None:
        group.create_dataset("bias:0", (7,), np.float32, external=[(str(secret), 0, 28)])

    def virtual(group: Any) -> None:
        group.create_virtual_dataset("bias:0", layout)

    def twice(group: Any) -> None:
        group["bias:0"] = group["kernel:0"]

    def itself(group: Any) -> None:
        group["bias:0"] = group.file["model_weights"]

    for spoil, words in (
        (linked, "links"),
        (soft, "links"),
        (stored, "another file"),
        (virtual, "another file"),
        (twice, "twice"),
        (itself, "twice"),
    ):
        file = tmp_path / "net.h5"
        file.write_bytes(good_h5)
        with hdf5(file) as opened:
            group = opened["model_weights/out/out"]
            del group["bias:0"]
            spoil(group)
        with pytest.raises(ModelError, match=words):
            shelf.bring(file, "emotion")
        file.unlink()
    assert shelf.is_empty()


def test_hdf5_that_swells(keras: Any, shelf: Shelf, tmp_path: Path, good_h5: bytes) -> None:
    """Terabytes of zeros announced in a few bytes."""
    file = tmp_path / "net.h5"
    file.write_bytes(good_h5)
    with hdf5(file) as opened:
        opened["model_weights/out/out"].create_dataset(
            "bomb:0", (2**40,), np.float32, chunks=(2**20,), compression="gzip", fillvalue=0
        )
    assert file.stat().st_size < 1e6
    with pytest.raises(ModelError, match="unpacks to more"):
        shelf.bring(file, "emotion")


def test_zip_files_that_swell_or_lie(shelf: Shelf, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", bytes(300_000_000))
    assert bomb.stat().st_size < 1e6
    with pytest.raises(ModelError, match="would swell"):
        shelf.bring(bomb, "emotion")

    twice = tmp_path / "twice.keras"
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("config.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(ModelError, match="same or of an unsafe name"):
        shelf.bring(twice, "emotion")

    up = tmp_path / "up.keras"
    with zipfile.ZipFile(up, "w") as archive:
        for name in ("config.json", "model.weights.h5", "../../out.txt"):
            archive.writestr(name, "{}")
    with pytest.raises(ModelError, match="unsafe name"):
        shelf.bring(up, "emotion")

    torn = tmp_path / "torn.keras"
    torn.write_bytes(up.read_bytes()[:-30])
    with pytest.raises(ModelError, match="damaged archive"):
        shelf.bring(torn, "emotion")


def test_configurations_that_are_none(keras: Any, shelf: Shelf, tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for text in ("not json", "[]", "null", json.dumps({"class_name": "Functional"}), deep):
        file = tmp_path / "net.keras"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", text)
            archive.writestr("metadata.json", "{}")
            archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
        with pytest.raises(ModelError):
            shelf.bring(file, "emotion")
    assert shelf.is_empty()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no model file"),
        (b"hello, this is a text", "no model file"),
        (b"\x80\x04\x95rest", "pickle"),
        (b"\x08\x08\x12\x04" + bytes(200), "no ONNX model"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "LiteRT cannot load|crash"),
        (b"PK\x03\x04" + bytes(50), "damaged archive"),
    ],
)
def test_bytes_that_are_no_model(shelf: Shelf, tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "net.bin"
    file.write_bytes(data)
    with pytest.raises(ModelError, match=words):
        bring_apart(Request(file, "lungs", shelf.folder))


def test_a_truncated_tflite_file(shelf: Shelf, tmp_path: Path) -> None:
    """LiteRT does not check offsets in what it maps: wherever the end is missing, it is an error and no crash here."""
    data = network(8, 8, 1, np.zeros((64, 64), np.float32))
    file = tmp_path / "net.tflite"
    for length in (20, 200, len(data) // 2):
        file.write_bytes(data[:length])
        with pytest.raises(ModelError):
            bring_apart(Request(file, "lungs", shelf.folder))
    assert shelf.is_empty()


@settings(max_examples=60)
@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"PK\x03\x04" + tail))
def test_any_bytes_have_a_kind_or_a_reason(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(data)
    try:
        said = kind_of(path)
    except SightlineError as error:
        said = str(error)
        assert len(said) > 20
    else:
        assert said in ("hdf5", "keras", "torchscript", "torch-export", "torch-weights", "onnx", "tflite")
    assert "\n" not in said
