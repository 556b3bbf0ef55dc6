"""`import sightline` is light: what a task needs is imported when the task is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "tensorflow", "keras", "cv2", "onnxruntime", "onnx", "ai_edge_litert", "fastapi", "numpy", "PIL")


def imported(code: str) -> set[str]:
    """The names in `sys.modules` of a fresh interpreter after `code`."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy() -> None:
    before, after = imported("pass"), imported("import sightline")
    assert "sightline.settings" in after
    assert {name for name in HEAVY if name in after - before} == set()


def test_the_public_names_come_when_asked_for() -> None:
    after = imported(
        "import sightline\n"
        "assert sightline.Settings().max_pixels\n"
        "assert issubclass(sightline.errors.NoFace, sightline.errors.SightlineError)\n"
        "assert sightline.Store and sightline.Task and sightline.Answer\n"
        "for name in sightline.__all__: getattr(sightline, name)\n"
    )
    assert "sightline.tasks.base" in after
    with pytest.raises(subprocess.CalledProcessError):
        imported("import sightline; sightline.Nonsense")


def test_loading_a_task_imports_no_web_and_no_training() -> None:
    after = imported("from sightline.tasks import registry\nfor name in registry.TASKS: registry.recipe(name).task()")
    assert {"sightline.tasks.faces", "numpy", "cv2"} <= after
    absent = {"torch", "tensorflow", "keras", "fastapi", "uvicorn", "typer", "sightline.serving", "sightline.protocols"}
    assert after & absent == set()
