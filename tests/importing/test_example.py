"""The example that the documentation names, run as a reader would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_siamese.py"


@pytest.mark.models
@pytest.mark.usefixtures("keras")
def test_own_siamese() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    distances = {line.partition(":")[0]: re.findall(r"\d+\.\d{4}", line) for line in done.stdout.splitlines()}
    assert len(set(distances["Keras"])) == 2  # two different pictures, two different distances
    np.testing.assert_allclose(np.array(distances["served"][:2], float), np.array(distances["Keras"], float), atol=1e-3)
