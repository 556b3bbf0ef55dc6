"""`sightline doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks import registry

_LIBRARIES = (
    "numpy",
    "pillow",
    "opencv-python-headless",
    "onnxruntime",
    "ai-edge-litert",
    "onnx",
    "fastapi",
    "uvicorn",
)
_EXTRAS = {"train": "torch", "search": "icrawler", "aws": "boto3", "otel": "opentelemetry.sdk"}


def run(as_json: bool) -> bool:
    """Print what works here; whether at least one task does. Nothing is downloaded."""
    settings = Settings.from_env()
    store = Store(settings, pull=False)
    reasons = {name: registry.missing(name, store) for name in registry.TASKS}
    report: dict[str, Any] = {
        "sightline": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "extras": {name: _importable(module) for name, module in _EXTRAS.items()},
        "cache": {"path": str(settings.cache), "writable": _writable(settings.cache)},
        "offline": settings.offline,
        "tasks": {name: {"ready": reason is None, "reason": reason} for name, reason in reasons.items()},
    }
    if as_json:
        print(json.dumps(report))
    else:
        _print(report)
    return any(reason is None for reason in reasons.values())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it lies in
        return False


def _writable(path: Path) -> bool:
    """Whether the folder, or the nearest one above it that exists, can be written."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return os.access(existing, os.W_OK)


def _print(report: dict[str, Any]) -> None:
    print(f"Sightline {report['sightline']}, Python {report['python']}, {report['machine']}")
    for name, version in report["libraries"].items():
        print(f"  {name:24} {version or 'MISSING'}")
    extras = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in report["extras"].items())
    print(f"  {'extras':24} {extras}")
    print(f"  {'model cache':24} {report['cache']['path']}{'' if report['cache']['writable'] else ' (NOT WRITABLE)'}")
    if report["offline"]:
        print(f"  {'network':24} forbidden by SIGHTLINE_OFFLINE")
    for name, state in report["tasks"].items():
        print(f"  {name:24} {'ready' if state['ready'] else state['reason']}")
    if not any(state["ready"] for state in report["tasks"].values()):
        print("No task is ready: `sightline models pull --defaults` brings the models.", file=sys.stderr)
