"""TFLite files: kept as they are, on LiteRT. Converting one well would need TensorFlow, and would lose what its
quantisation was tuned for; the package has the engine anyway."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.engines.litert import LiteRTEngine
from sightline.errors import EngineError, ModelError
from sightline.settings import Settings

from .source import Source


def read_tflite(path: Path) -> Source:
    """The model, run by LiteRT. Raises `ModelError`; so for integer inputs, which pictures are not turned into."""
    try:
        engine = LiteRTEngine(path, Settings(threads=1))
    except EngineError as error:
        raise ModelError(str(error)) from None
    for tensor in engine.inputs:
        if tensor.dtype != np.float32:
            raise ModelError(
                f"{path.name} takes {tensor.dtype}; convert it with float32 inputs and outputs (weights may stay "
                f"quantised)"
            )
    return Source("TFLite", engine.inputs, engine.run, None)
