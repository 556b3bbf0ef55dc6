"""What holds for the colours of any picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.images.colour_names import SIMPLE, to_lab
from sightline.images.colours import Colour, Region, dominant, image_properties

pictures = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))
masks = arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32))


def holds(region: Region, most: int) -> None:
    shares = [colour.share for colour in region.colours]
    assert len(shares) <= most
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 + 1e-6 for share in shares)
    assert sum(shares) <= 1 + 1e-5
    for colour in region.colours:
        assert colour.css in SIMPLE[colour.simple].split()
        assert colour.hex == f"#{bytes((colour.red, colour.green, colour.blue)).hex()}"
    assert all(0 <= value <= 100 for value in (region.look.brightness, region.look.sharpness, region.look.contrast))


@settings(max_examples=60)
@given(pictures, st.none() | masks, st.integers(0, 20))
def test_every_picture_has_properties_within_their_ranges(
    pixels: npt.NDArray[np.uint8], mask: npt.NDArray[np.float32] | None, most: int
) -> None:
    found = image_properties(pixels, mask, most)
    for region in (found.whole, found.foreground, found.background):
        if region is not None:
            holds(region, most)
    assert mask is not None or (found.foreground is None and found.background is None)


@settings(max_examples=60)
@given(pictures, st.randoms(use_true_random=False))
def test_the_order_of_pixels_does_not_matter(pixels: npt.NDArray[np.uint8], random) -> None:
    flat = pixels.reshape(-1, 3)
    order = list(range(len(flat)))
    random.shuffle(order)

    def plain(colours: tuple[Colour, ...]) -> list[tuple[object, ...]]:
        return sorted((colour.hex, round(colour.share, 4)) for colour in colours)

    assert plain(dominant(to_lab(flat))) == plain(dominant(to_lab(flat[order])))


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(1, 40), st.integers(1, 40))
def test_a_picture_of_one_colour_has_that_colour(rgb: tuple[int, int, int], height: int, width: int) -> None:
    (only,) = image_properties(np.full((height, width, 3), rgb, np.uint8)).whole.colours
    assert max(abs(a - b) for a, b in zip((only.red, only.green, only.blue), rgb, strict=True)) <= 1
    assert abs(only.share - 1) < 1e-6
