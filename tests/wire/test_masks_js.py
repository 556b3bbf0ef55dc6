"""The page reads the run lengths that the server writes."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest

from sightline.images import rle
from sightline.images.palette import colour_of
from sightline.images.patch import Patch

MODULE = files("sightline") / "web" / "masks.js"


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node to run the page's code")
def test_runs_and_colours() -> None:
    random = np.random.default_rng(0)
    patches = [
        (Patch(0, 0, np.ones((1200, 1600), np.bool_)), 1600, 1200),
        (Patch(30, 20, np.hypot(*np.mgrid[-200:200, -150:150]) < 140), 900, 700),
        (Patch(2, 3, random.random((40, 30)) < 0.5), 35, 50),
        (Patch(0, 0, np.zeros((1, 1), np.bool_)), 7, 9),
    ]
    letters = [rle.encode(*patch)["counts"] for patch in patches]
    code = f"""
      import {{ rgbOf, runsOf }} from "{MODULE}";
      const letters = {json.dumps(letters)};
      console.log(JSON.stringify([letters.map(runsOf), [...Array(30).keys()].map(rgbOf)]));
    """
    done = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    runs, colours = json.loads(done.stdout)
    assert runs == [rle.runs(*patch) for patch in patches]
    assert colours == [list(colour_of(index)) for index in range(30)]
