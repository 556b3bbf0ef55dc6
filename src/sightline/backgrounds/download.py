"""The first of several pictures that downloads and decodes."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.backgrounds.base import cover
from sightline.errors import FetchRefused, InvalidImage, SourceFailed
from sightline.images.decode import decode
from sightline.images.fetch import Fetcher
from sightline.images.picture import Pixels


def first_usable(
    addresses: Sequence[str], size: tuple[int, int], *, fetcher: Fetcher, max_pixels: int
) -> tuple[int, Pixels]:
    """Which of `addresses` worked, and its picture covering `size` = (width, height).

    One host of many is down, or its file is gone or no picture: then the next is as good. Raises `SourceFailed`,
    with the last reason, where none works.
    """
    reason = "no picture was found"
    for index, address in enumerate(addresses):
        try:
            data = fetcher.get(address)
            picture = decode(data, max_bytes=fetcher.max_bytes, max_pixels=max_pixels, enough=max(size))
        except (SourceFailed, FetchRefused, InvalidImage) as error:
            reason = str(error)
            continue
        return index, cover(picture.pixels, *size)
    raise SourceFailed(f"no picture could be downloaded: {reason}")
