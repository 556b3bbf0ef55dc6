"""Each pulled TensorFlow.js model as ONNX against TensorFlow.js itself, on real pictures.

Needs Node and its packages: `make test-tfjs` brings them and runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from sightline.engines.registry import open_engine
from sightline.images.geometry import resize
from sightline.models.store import Store
from sightline.settings import Settings

RUNNER = Path(__file__).with_name("tfjs_run.cjs")
PACKAGES = Path(os.environ.get("SIGHTLINE_TFJS", Path(__file__).parents[3] / ".venv" / "tfjs")) / "node_modules"
STORE = Store(Settings.from_env(), pull=False)
CARDS = [card for card in STORE.cards() if card.convert is not None and card.convert.importer == "tfjs"]


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node on this machine")
    if not (PACKAGES / "@tensorflow" / "tfjs-backend-wasm").is_dir():
        pytest.skip("no TensorFlow.js on this machine; `make test-tfjs` brings it")
    return found


@pytest.mark.parametrize("photo", ["astronaut", "coffee"])
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_converted_model_answers_as_tensorflow_js(node, card, photo, tmp_path):
    if STORE.state(card) != "ready":
        pytest.skip(f"{card.name} is not pulled")
    engine = open_engine("onnx", STORE.weights(card), Settings())
    (tensor,) = engine.inputs
    _, height, width, _ = tensor.shape
    picture = resize(getattr(skimage.data, photo)(), width, height)[None].astype(tensor.dtype)
    picture.tofile(tmp_path / "input")
    model = next(file.path for file in card.files if file.path.endswith(".json"))
    command = [node, str(RUNNER), str(STORE.folder(card) / model), str(tmp_path / "input"), str(tmp_path / "output")]
    subprocess.run(command, check=True, env={**os.environ, "NODE_PATH": str(PACKAGES)})
    wanted = np.fromfile(tmp_path / "output", "<f4")
    for found in engine.run(picture):
        theirs, wanted = wanted[: found.size].reshape(found.shape), wanted[found.size :]
        # Pixels within a hundredth, scores and shares of the picture within 1e-5.
        np.testing.assert_allclose(found, theirs, rtol=2e-5, atol=1e-2 if np.abs(theirs).max() > 2 else 1e-5)
    assert wanted.size == 0
