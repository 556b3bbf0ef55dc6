"""CenterNet: things as the peaks of a heat map (Zhou et al. 2019, arXiv 1904.07850); its graph finds the peaks."""

from __future__ import annotations

import numpy as np

from sightline.architectures.objects import Candidates, ObjectNetwork
from sightline.errors import InvalidCard
from sightline.images.geometry import letterbox
from sightline.images.picture import Pixels

PAD = 114


class CenterNet(ObjectNetwork):
    """Takes the picture in the middle of its input, the rest grey. Card options: `output`, the name of the output that
    is 1 x N x 6: boxes (left, top, right, bottom in input pixels), scores and classes."""

    def candidates(self, pixels: Pixels, least: float) -> Candidates:
        spec = self.card.input
        boxed, back = letterbox(pixels, spec.width, spec.height, PAD)
        outputs = self.engine.run(self.prepare(boxed[None]))
        named = {tensor.name: output for tensor, output in zip(self.engine.outputs, outputs, strict=True)}
        rows = named.get(self.card.options["output"])
        if rows is None or rows.ndim != 3 or rows.shape[2] != 6:
            raise InvalidCard(f"{self.card.name} answers no {self.card.options['output']} of 1 x N x 6")
        boxes = back.back(rows[0, :, :4].reshape(-1, 2)).reshape(-1, 4)
        return Candidates(boxes, rows[0, :, 4], rows[0, :, 5].astype(np.int64))
