"""The mask covers the picture and nothing of the border."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.architectures.deeplab import DeepLab
from sightline.engines.base import Array
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

SIDE = 64


def network() -> DeepLab:
    def redness(batch: Array) -> Array:
        return batch[:, :1]

    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW", "mean": [0.0] * 3, "scale": [1 / 255] * 3}
    return DeepLab(card(input=spec), FakeEngine(redness, (None, 3, SIDE, SIDE)))


@pytest.mark.parametrize("size", [(128, 64), (64, 128), (100, 100), (37, 211), (16, 10), (1, 500)])
def test_the_border_is_cut_off(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 255
    mask = network().mask(pixels)
    assert mask.min() == 1
    assert max(mask.shape) == SIDE
    assert mask.shape[0] / mask.shape[1] == pytest.approx(height / width, rel=0.05) or min(mask.shape) == 1


def test_the_mask_lies_as_the_picture_does() -> None:
    pixels = np.zeros((200, 100, 3), np.uint8)
    pixels[:100, :50, 0] = 255
    mask = network().mask(pixels)
    assert mask.shape == (64, 32)
    assert mask[:31, :15].min() == 1
    assert mask[33:].max() == 0
    assert mask[:, 17:].max() == 0
