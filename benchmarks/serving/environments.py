"""An environment for each peer, made from its pinned requirements and kept outside of the repository."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
SAME = ("numpy", "pillow", "opencv-python-headless", "onnxruntime", "ai-edge-litert")
"""What decides how fast a picture is decoded and a network runs: the same version under every server."""


class NoEnvironment(Exception):
    """A peer's packages cannot be installed here; the message is pip's last line."""


def default_folder() -> Path:
    """Where environments are kept: `SIGHTLINE_BENCH_ENVIRONMENTS`, or a folder in the user's cache."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("SIGHTLINE_BENCH_ENVIRONMENTS") or user_cache_path("sightline-benchmarks"))


def existing(name: str, folder: Path) -> Path | None:
    """The Python of an environment that is there and matches its requirements."""
    place = folder / f"{name}-{_stamp(name)}"
    return place / "bin" / "python" if (place / "complete").exists() else None


def python(name: str, folder: Path) -> Path:
    """The Python of the environment `name`, made if it is not there. Raises `NoEnvironment`."""
    found = existing(name, folder)
    if found is not None:
        return found
    place = folder / f"{name}-{_stamp(name)}"
    shutil.rmtree(place, ignore_errors=True)
    print(f"installing {name} into {place}", file=sys.stderr)
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    # The files name every package: nothing is resolved, so nothing drifts.
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "-r"]
    done = subprocess.run([*command, str(HERE / "requirements" / f"{name}.txt")], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NoEnvironment(lines[-1] if lines else f"pip ended with {done.returncode}")
    (place / "complete").touch()
    return place / "bin" / "python"


def versions(python: Path, names: tuple[str, ...] = SAME) -> dict[str, str]:
    """The versions of packages in an environment; those that are absent are left out."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.name.lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: have[n] for n in sys.argv[1:] if n in have}))"
    )
    out = subprocess.run([str(python), "-c", code, *names], check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, str] = json.loads(out)
    return found


def _stamp(name: str) -> str:
    content = (HERE / "requirements" / f"{name}.txt").read_bytes()
    return hashlib.sha256(content + sys.version.encode()).hexdigest()[:12]
