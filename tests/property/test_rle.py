"""Run-length encoded masks are COCO's: pycocotools reads what is written here, and the other way round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from sightline.errors import InvalidOption
from sightline.images import rle
from sightline.images.patch import Patch

masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.booleans())


@st.composite
def blobs(draw: st.DrawFn) -> npt.NDArray[np.bool_]:
    """Masks with long runs, whose differences need several letters."""
    width, height = draw(st.integers(1, 700)), draw(st.integers(1, 700))
    mask = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(0, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[top : draw(st.integers(top, height)), left : draw(st.integers(left, width))] ^= True
    return mask


@given(st.one_of(masks, blobs()))
def test_pycocotools_writes_the_same(mask: npt.NDArray[np.bool_]) -> None:
    height, width = mask.shape
    ours = rle.encode(Patch(0, 0, mask), width, height)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours["counts"] == theirs["counts"].decode()
    assert ours["size"] == theirs["size"]
    assert np.array_equal(coco.decode({**ours, "counts": ours["counts"].encode()}).astype(bool), mask)
    assert np.array_equal(rle.decode(ours), mask)
    plain = {"size": [height, width], "counts": rle.expand(ours["counts"])}
    assert np.array_equal(rle.decode(plain), mask)


@given(masks, st.tuples(*[st.integers(0, 30)] * 4))
def test_a_patch_is_written_where_it_lies(mask: npt.NDArray[np.bool_], room: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = room
    full = np.pad(mask, ((top, bottom), (left, right)))
    patch = Patch(left, top, mask)
    assert np.array_equal(patch.full(full.shape[1], full.shape[0]), full)
    assert np.array_equal(rle.decode(rle.encode(patch, full.shape[1], full.shape[0])), full)


@given(
    st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30), st.integers(-3, 50), st.integers(-3, 50)
)
def test_any_letters_are_a_mask_or_an_error(letters: str, height: int, width: int) -> None:
    try:
        mask = rle.decode({"size": [height, width], "counts": letters})
    except InvalidOption:
        return
    assert mask.shape == (height, width)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"size": [2], "counts": "4"},
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [-1, 5]},
        {"size": [2, 2], "counts": None},
        {"size": [2, 2], "counts": "o"},
        {"size": [2, 2], "counts": "oooooooooooooooooooooooooooo0"},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": ["a", 2], "counts": "4"},
    ],
)
def test_what_is_no_mask(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        rle.decode(wrong)
