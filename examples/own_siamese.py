"""A siamese network of your own, from Keras to HTTP: built, saved as `.h5`, imported, served and compared.

    pip install 'sightline[import]'
    python examples/own_siamese.py [ANCHOR IMG1 IMG2]

Each of the three pictures shows a face; without any, those of the page are taken. The network is not trained, so its
distances mean nothing; what counts is that the server answers the very distances that Keras gives.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from sightline.images.decode import read
from sightline.images.geometry import resize

os.environ["KERAS_BACKEND"] = "torch"

SIDE = 64
FOLDER = Path(str(resources.files("sightline"))) / "web" / "samples"
SAMPLES = [str(FOLDER / name) for name in ("astronaut.jpg", "astronaut-mirrored.jpg", "admiral.jpg")]


def build() -> Any:
    """Three pictures in (anchor, first, second), two Euclidean distances out."""
    import keras

    keras.utils.set_random_seed(0)
    layers, ops = keras.layers, keras.ops
    tower = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64),
        ],
        name="tower",
    )
    pictures = [keras.Input((SIDE, SIDE, 3), name=name) for name in ("anchor", "first", "second")]
    anchor, first, second = map(tower, pictures)
    return keras.Model(pictures, [ops.norm(anchor - first, axis=1), ops.norm(anchor - second, axis=1)])


def sightline(*arguments: str, models: Path) -> list[str]:
    """The command as a list for `subprocess`, with `models` as the folder of the user's own models."""
    os.environ["SIGHTLINE_MODELS"] = str(models)
    return [sys.executable, "-m", "sightline.cli", *arguments]


def serve(models: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server of the task `similarity` on a free port, ready, and its address."""
    with log.open("wb") as out:
        process = subprocess.Popen(sightline("serve", "similarity", "--port", "0", models=models), stderr=out)
    for _ in range(600):
        found = re.search(r"listens on (http://\S+)", log.read_text())
        if found and httpx.get(f"{found[1]}/readyz").status_code == 200:
            return process, found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def main(files: list[str]) -> None:
    """Build, save, import, serve, ask, compare."""
    folder = Path(tempfile.mkdtemp(prefix="own-siamese-"))
    model = build()
    model.save(folder / "siamese.h5")

    # A model that is named like the default one takes its place; this network looks at the whole picture.
    wishes = ["--task", "similarity", "--name", "dlib-face", "--crop", "whole"]
    subprocess.run(
        sightline("models", "import", str(folder / "siamese.h5"), *wishes, models=folder / "models"), check=True
    )

    process, address = serve(folder / "models", folder / "log")
    try:
        names = ("anchor", "img1", "img2")
        sent = {name: Path(file).read_bytes() for name, file in zip(names, files, strict=True)}
        answer = httpx.post(f"{address}/v1/similarity", files=sent, timeout=60).raise_for_status().json()
    finally:
        process.terminate()
        process.wait()

    chips = [resize(read(file).pixels, SIDE, SIDE)[None].astype(np.float32) / 255 for file in files]
    wanted = [float(np.squeeze(distance)) for distance in model.predict(chips, verbose=0)]
    served = [answer["distance"]["img1"], answer["distance"]["img2"]]
    print(f"Keras:  {wanted[0]:.4f} {wanted[1]:.4f}")
    print(f"served: {served[0]:.4f} {served[1]:.4f}, by {answer['model']['name']} {answer['model']['sha256'][:12]}")
    largest = max(abs(a - b) for a, b in zip(wanted, served, strict=True))
    print(f"largest difference: {largest:.1e}")
    if largest > 1e-3:
        raise SystemExit("the server answers otherwise than Keras")


if __name__ == "__main__":
    if len(sys.argv) not in (1, 4):
        raise SystemExit(__doc__)
    main(sys.argv[1:] or SAMPLES)
