"""The silhouette comes back to where the person is."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.architectures.figure import Figure
from sightline.images.geometry import Box
from sightline.images.patch import Window
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

SIZE = 64


def bright() -> Figure:
    """Its network takes what is bright for the person, and answers as BlazePose does, several outputs at once."""

    def compute(values: np.ndarray) -> tuple[np.ndarray, ...]:
        points = np.zeros((1, 195), np.float32)
        return points, np.where(values[..., :1] > 0.5, 9.0, -9.0).astype(np.float32)

    spec = {"width": SIZE, "height": SIZE, "mean": [0.0] * 3, "scale": [1 / 255] * 3}
    made = card(name="figure", architecture="figure", input=spec, options={"margin": 1.8})
    return Figure(made, FakeEngine(compute, (1, SIZE, SIZE, 3)))


@pytest.mark.parametrize("box", [Box(60, 40, 50, 90), Box(10, 100, 120, 60), Box(150, 120, 45, 75)])
def test_the_silhouette_lies_on_its_person(box: Box) -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    left, top, right, bottom = (round(value) for value in box.corners)
    pixels[top:bottom, left:right] = 255
    window = Window.around(box, 200, 200, 0.2)
    found = bright().figure(pixels, box, window)
    assert found.shape == (window.height, window.width)
    assert found.dtype == np.float32
    assert found.min() == -4
    assert found.max() == 4
    wanted = pixels[window.slices][..., 0] > 0
    both, either = np.count_nonzero((found > 0) & wanted), np.count_nonzero((found > 0) | wanted)
    assert both / either > 0.9


def test_a_window_beyond_the_square_is_nobody() -> None:
    found = bright().figure(np.full((100, 300, 3), 255, np.uint8), Box(10, 40, 20, 20), Window(200, 0, 300, 100))
    assert (found == -4).all()


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0), Box(-30, -30, 10, 10), Box(90, 90, 400, 400)])
def test_boxes_of_any_kind(box: Box) -> None:
    window = Window.around(box, 100, 80)
    found = bright().figure(np.full((80, 100, 3), 255, np.uint8), box, window)
    assert found.shape == (window.height, window.width)
    assert np.isfinite(found).all()
