"""OpenCV's cascade classifier: boosted Haar features (Viola and Jones, 2001)."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from sightline.engines.base import Array, Tensor, check_inputs
from sightline.errors import EngineError

_UINT8, _FLOAT32, _FLOAT64 = np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64)


class CascadeEngine:
    """A cascade file. Inputs: a grey picture (height x width, uint8) and three numbers (scale step, least
    neighbours, smallest side in pixels). Outputs: boxes (N x 4: x, y, width, height in pixels) and scores (N).

    The classifier is not thread-safe, so there is one a thread.
    """

    inputs = (Tensor("grey", (None, None), _UINT8), Tensor("parameters", (3,), _FLOAT64))
    outputs = (Tensor("boxes", (None, 4), _FLOAT32), Tensor("scores", (None,), _FLOAT32))

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._classifier()

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        check_inputs(self.inputs, arrays)
        grey, (step, neighbours, smallest) = arrays
        side = int(smallest)
        try:
            boxes, _, scores = self._classifier().detectMultiScale3(
                grey,
                scaleFactor=float(step),
                minNeighbors=int(neighbours),
                minSize=(side, side),
                outputRejectLevels=True,
            )
        except cv2.error as error:
            raise EngineError(f"OpenCV failed: {' '.join(str(error).split())[:200]}") from None
        return (
            np.asarray(boxes, np.float32).reshape(-1, 4),
            np.asarray(scores, np.float32).reshape(-1),
        )

    def _classifier(self) -> cv2.CascadeClassifier:
        classifier = getattr(self._local, "classifier", None)
        if classifier is None:
            try:
                classifier = cv2.CascadeClassifier(str(self._path))
            except (cv2.error, SystemError):  # a file that is no XML
                classifier = None
            if classifier is None or classifier.empty():
                raise EngineError(f"OpenCV cannot load the cascade {self._path.name}")
            self._local.classifier = classifier
        return classifier
