"""The engines by their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sightline.engines.base import Engine
from sightline.errors import EngineError
from sightline.settings import Settings

OpenEngine: TypeAlias = Callable[[str, Path, Settings], Engine]
"""What opens weights: `open_engine`, or something around it."""


def open_engine(name: str, path: Path, settings: Settings) -> Engine:
    """The engine `onnx`, `litert`, `cascade` or `hog` with the weights at `path`. Raises `EngineError`."""
    # Imported here: each engine's library costs 50 to 200 ms, and a process rarely needs all.
    if name == "onnx":
        from sightline.engines.onnx import OnnxEngine

        return OnnxEngine(path, settings)
    if name == "litert":
        from sightline.engines.litert import LiteRTEngine

        return LiteRTEngine(path, settings)
    if name == "cascade":
        from sightline.engines.cascade import CascadeEngine

        return CascadeEngine(path)
    if name == "hog":
        from sightline.engines.hog import HogEngine

        return HogEngine(path)
    raise EngineError(f"no engine is called {name!r}; there are onnx, litert, cascade and hog")
