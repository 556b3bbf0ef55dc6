"""Real models, made in seconds by the frameworks whose files are read, and the import as Python and as a command.

The frameworks come with the extra `import`; tests of a framework that is absent are skipped and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.importing.shelf import Command, Shelf


def framework(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'sightline[import]'")


@pytest.fixture(scope="session")
def torch() -> Any:
    made = framework("torch")
    framework("onnxscript")
    return made


@pytest.fixture(scope="session")
def keras(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    framework("h5py")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    made = framework("keras")
    made.utils.set_random_seed(7)
    return made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`sightline models ARGUMENTS` as a process, with the folder `models` of the test as the user's own."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sightline.cli", "models", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "SIGHTLINE_MODELS": str(tmp_path / "models")},
        )

    return run


@pytest.fixture(scope="session")
def faces() -> np.ndarray:
    """Twelve pictures of 48 x 48 x 3, RGB uint8."""
    return np.random.default_rng(3).integers(0, 256, (12, 48, 48, 3)).astype(np.uint8)
