"""PyTorch files that can be read without running what they hold, and the refusal of those that cannot."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import InvalidOption, ModelError
from tests.importing.shelf import Shelf

CARD = "[input]\nwidth = 32\nheight = 32\n"


@pytest.fixture(scope="module")
def network(torch: Any) -> Any:
    torch.manual_seed(5)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 1, 1), nn.Sigmoid()
    ).eval()


def check(torch: Any, shelf: Shelf, name: str, network: Any) -> None:
    """The stored model answers batches of any size as the module does."""
    for count in (1, 2, 5):
        batch = np.random.default_rng(count).random((count, 3, 32, 32)).astype(np.float32)
        (answer,) = shelf.engine(name).run(batch)
        with torch.inference_mode():
            np.testing.assert_allclose(answer, network(torch.from_numpy(batch)).numpy(), atol=1e-5)


@pytest.mark.parametrize("made_by", ["trace", "script"])
def test_torchscript(torch: Any, shelf: Shelf, tmp_path: Path, network: Any, made_by: str) -> None:
    example = torch.rand(1, 3, 32, 32)
    script = torch.jit.trace(network, example) if made_by == "trace" else torch.jit.script(network)
    script.save(tmp_path / "net.pt")
    with pytest.raises(InvalidOption, match=r"--card with a table \[input\]"):
        shelf.bring(tmp_path / "net.pt", "background")
    (tmp_path / "card.toml").write_text(CARD)
    done = shelf.bring(tmp_path / "net.pt", "background", card=tmp_path / "card.toml")
    assert (done.format, done.engine) == ("TorchScript", "onnx")
    check(torch, shelf, "net", network)


@pytest.mark.parametrize("batch", ["free", "fixed"])
def test_exported_programs(torch: Any, shelf: Shelf, tmp_path: Path, network: Any, batch: str) -> None:
    free = ({0: torch.export.Dim("batch")},)
    if batch == "free":
        program = torch.export.export(network, (torch.rand(2, 3, 32, 32),), dynamic_shapes=free)
    else:
        program = torch.export.export(network, (torch.rand(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "net.pt2")
    shelf.bring(tmp_path / "net.pt2", "lungs")
    check(torch, shelf, "net", network)


def test_a_siamese_torchscript(torch: Any, shelf: Shelf, tmp_path: Path) -> None:
    """The tower is found in the graph, so it does not matter which framework drew it."""
    nn = torch.nn

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(900, 12))

        def forward(self, a: Any, b: Any) -> Any:
            return (self.tower(a) - self.tower(b)).abs().sum(1)

    pair = Pair().eval()
    torch.jit.trace(pair, (torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))).save(tmp_path / "pair.pt")
    (tmp_path / "card.toml").write_text(CARD)
    shelf.bring(tmp_path / "pair.pt", "similarity", card=tmp_path / "card.toml")
    assert shelf.card("pair").options["metric"] == "manhattan"
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    siamese = shelf.architecture("pair")
    vectors = siamese.embed(pictures)
    tensors = torch.from_numpy(siamese.prepare(pictures))
    with torch.inference_mode():
        wanted = float(pair(tensors[:1], tensors[1:]))
    assert siamese.distance(*vectors) == pytest.approx(wanted, rel=1e-4)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def _replace(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def test_pickles_are_not_opened(torch: Any, shelf: Shelf, tmp_path: Path, network: Any) -> None:
    mark = tmp_path / "it ran"
    plain, old, new = tmp_path / "plain.pt", tmp_path / "old.pt", tmp_path / "new.pt"
    plain.write_bytes(pickle.dumps(Payload(mark)))
    torch.save({"w": Payload(mark)}, old, _use_new_zipfile_serialization=False)
    torch.save({"w": Payload(mark)}, new)
    whole = tmp_path / "whole.pt"
    torch.save(network, whole)
    for file in (plain, old, new, whole):
        for wishes in ({}, {"trust": True}):
            with pytest.raises(ModelError, match="pickle"):
                shelf.bring(file, "background", **wishes)
    assert not mark.exists()
    assert shelf.is_empty()


@pytest.fixture
def program(torch: Any, tmp_path: Path, network: Any) -> Path:
    path = tmp_path / "good.pt2"
    free = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(network, (torch.rand(2, 3, 32, 32),), dynamic_shapes=free), path)
    return path


def test_an_exported_program_with_a_pickle_in_it(torch: Any, shelf: Shelf, tmp_path: Path, program: Path) -> None:
    """PyTorch's own loader runs both of these."""
    mark = tmp_path / "it ran"
    saved = io.BytesIO()
    torch.save((Payload(mark),), saved)

    bad = tmp_path / "examples.pt2"
    _replace(program, bad, lambda name, data: saved.getvalue() if "sample_inputs" in name else data)
    shelf.bring(bad, "lungs")  # the examples are not needed, and not read
    assert not mark.exists()

    def pickled(name: str, data: bytes) -> bytes:
        if name.endswith("model_weights_config.json"):
            return data.replace(b'"use_pickle": false', b'"use_pickle": true')
        return saved.getvalue() if name.endswith("weight_0") else data

    bad = tmp_path / "weights.pt2"
    _replace(program, bad, pickled)
    with pytest.raises(ModelError, match="pickle"):
        shelf.bring(bad, "background")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("torch.ops.aten.relu.default", "torch.hub.load", "no tensor operation"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default", "no tensor operation"),
        ("torch.ops.aten.relu.default", "_operator.methodcaller", "no tensor operation"),
        ("Symbol('s", "__import__('os').system('true') or Symbol('s", "no arithmetic"),
        ("builtins.tuple", "collections.defaultdict", "tensors in lists"),
    ],
)
def test_exported_programs_that_call_more_than_tensors_need(
    shelf: Shelf, tmp_path: Path, program: Path, old: str, new: str, words: str
) -> None:
    changed = []

    def spoil(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        changed.append(old.encode() in data)
        return data.replace(old.encode(), new.encode())

    bad = tmp_path / "bad.pt2"
    _replace(program, bad, spoil)
    assert changed == [True]
    with pytest.raises(ModelError, match=words):
        shelf.bring(bad, "background")
    assert shelf.is_empty()


def test_torchscript_that_reads_files(torch: Any, shelf: Shelf, tmp_path: Path) -> None:
    code = """
class Net(torch.nn.Module):
    def forward(self, x):
        return torch.from_file("/etc/passwd", False, 8).sum() + x
"""
    source = tmp_path / "reads.py"
    source.write_text("import torch\n" + code)
    spec = importlib.util.spec_from_file_location("reads", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.jit.script(module.Net()).save(tmp_path / "net.pt")
    (tmp_path / "card.toml").write_text(CARD)
    with pytest.raises(ModelError, match="reads or writes files"):
        shelf.bring(tmp_path / "net.pt", "background", card=tmp_path / "card.toml")
