"""What an image needs, from pyproject.toml: python3 needs.py server|lambda|train prints requirements;
python3 needs.py keep TASK... leaves only the models of those tasks in the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CACHE = Path("/opt/cache/models")

# What the Lambda handler never imports.
NOT_IN_LAMBDA = {
    "fastapi",
    "fastapi-offline",
    "filelock",
    "httptools",
    "onnx",
    "prometheus-client",
    "remotezip",
    "rich",
    "typer",
    "uvicorn",
    "uvloop",
}


def needs(image: str) -> list[str]:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    base, extras = project["dependencies"], project["optional-dependencies"]
    if image == "lambda":
        return [line for line in base if _name(line) not in NOT_IN_LAMBDA] + ["awslambdaric"]
    if image == "server":
        return [*base, *extras["aws"], *extras["postgres"], *extras["otel"]]
    if image == "train":
        return [*base, *extras["aws"], *extras["train"]]
    sys.exit(f"there is no image {image!r}")


def keep(tasks: list[str]) -> None:
    """Remove what the build's folder held of other tasks' models, and the pull's locks."""
    script = (
        "import sys; from sightline.models.store import Store; from sightline.settings import Settings; "
        "from sightline.tasks import registry; store = Store(Settings()); "
        "print(*{card.name for task in sys.argv[1:] for card in registry.cards_of(task, store)})"
    )
    done = subprocess.run(
        ["/opt/sightline/bin/python", "-c", script, *tasks], check=True, capture_output=True, text=True
    )
    kept = set(done.stdout.split())
    for place in CACHE.iterdir():
        if place.name not in kept:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    for lock in CACHE.rglob(".lock"):
        lock.unlink()


def _name(requirement: str) -> str:
    return re.split(r"[<>=\[; ]", requirement, maxsplit=1)[0]


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(sys.argv[2:])
    else:
        print("\n".join(needs(sys.argv[1])))
