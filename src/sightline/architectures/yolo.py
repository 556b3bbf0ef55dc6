"""Detectors of the YOLO family as their projects export them to ONNX, told apart by the shape of what they answer."""

from __future__ import annotations

import numpy as np

from sightline.architectures.objects import Candidates, ObjectNetwork
from sightline.engines.base import Array
from sightline.errors import InvalidCard
from sightline.images.geometry import Boxes, Letterbox, letterbox
from sightline.images.picture import Pixels

PAD = 114


class Yolo(ObjectNetwork):
    """Takes the picture in the middle of its input, the rest grey. Card options: `output`, how the first output is read
    (boxes in input pixels, probabilities 0..1):

    - `v5`: 1 x N x (5 + labels): centre, width and height, probability of a thing, of each label if there is one
      (YOLOv5, YOLOv6, YOLOv7);
    - `v8`: 1 x (4 + labels) x N: centre, width and height, probability of each label (YOLOv8 and later);
    - `rows`: 1 x N x 6: left, top, right, bottom, score, class, suppressed already (exports that end in NMS, YOLOv10).
    """

    def candidates(self, pixels: Pixels, least: float) -> Candidates:
        spec = self.card.input
        boxed, back = letterbox(pixels, spec.width, spec.height, PAD)
        output = self.engine.run(self.prepare(boxed[None]))[0]
        kind, labels = self.card.options.get("output"), len(self.card.labels)
        if kind == "v5" and output.ndim == 3 and output.shape[2] == 5 + labels:
            rows = output[0][output[0, :, 4] >= least]
            return _best(rows[:, :4], rows[:, 5:] * rows[:, 4:5], back)
        if kind == "v8" and output.ndim == 3 and output.shape[1] == 4 + labels:
            rows = output[0].T
            return _best(rows[:, :4], rows[:, 4:], back)
        if kind == "rows" and output.ndim == 3 and output.shape[2] == 6:
            rows = output[0]
            return Candidates(_back(rows[:, :4], back), rows[:, 4], rows[:, 5].astype(np.int64))
        raise InvalidCard(
            f"{self.card.name} answers an array of {output.shape}, which its option output = {kind!r} does not read"
            f" with {labels} labels"
        )


def _best(boxes: Array, scores: Array, back: Letterbox) -> Candidates:
    """Each box (centre, width, height) with its best label."""
    classes = scores.argmax(axis=1)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return Candidates(_back(corners, back), scores[np.arange(len(scores)), classes].astype(np.float32), classes)


def _back(corners: Array, back: Letterbox) -> Boxes:
    return back.back(corners.reshape(-1, 2)).reshape(-1, 4)
