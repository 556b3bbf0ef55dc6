"""OpenCV's search for what a support vector machine over histograms of oriented gradients knows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sightline.engines.base import Array, Tensor, check_inputs
from sightline.errors import EngineError

_UINT8, _FLOAT32, _FLOAT64 = np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64)

WIDTH, HEIGHT = 64, 128


class HogEngine:
    """The plane of a support vector machine (a `.npy` file of float32, its offset last) for windows of 64 x 128 pixels.

    Inputs: a picture (height x width x 3, uint8, any order of colours) and two numbers (scale step, stride of the
    window in pixels). Outputs: boxes (N x 4: x, y, width, height in pixels) and their distances from the plane (N).
    """

    inputs = (Tensor("picture", (None, None, 3), _UINT8), Tensor("parameters", (2,), _FLOAT64))
    outputs = (Tensor("boxes", (None, 4), _FLOAT32), Tensor("distances", (None,), _FLOAT32))

    def __init__(self, path: Path) -> None:
        self._descriptor = cv2.HOGDescriptor()
        try:
            self._descriptor.setSVMDetector(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError, cv2.error):
            raise EngineError(f"{path.name} holds no plane for OpenCV's gradient histograms") from None

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        check_inputs(self.inputs, arrays)
        picture, (step, stride) = arrays
        if picture.shape[0] < HEIGHT or picture.shape[1] < WIDTH:
            # No window fits; asked nevertheless, OpenCV ends the whole process where one side is a few pixels only.
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        try:
            # All windows above the plane: which of them are one thing is the architecture's to say.
            boxes, distances = self._descriptor.detectMultiScale(
                np.ascontiguousarray(picture),
                winStride=(int(stride), int(stride)),
                padding=(16, 16),
                scale=float(step),
                groupThreshold=0,
            )
        except cv2.error as error:
            raise EngineError(f"OpenCV failed: {' '.join(str(error).split())[:200]}") from None
        return np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(distances, np.float32).reshape(-1)
