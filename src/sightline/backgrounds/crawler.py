"""Pictures from Bing's or Google's image search, by icrawler (`pip install sightline[search]`).

icrawler knows the search pages: which address asks a question, and where the answers stand in the page. It is
used for these two things alone. Pages and pictures come through our own `Fetcher`, with its address checks and
caps, and no threads or files are left behind. What is found is somebody's: no licence is known.
"""

from __future__ import annotations

import importlib
import queue
import types
from typing import Literal
from urllib.parse import quote_plus

from sightline.backgrounds.base import Background, words_of
from sightline.backgrounds.download import first_usable
from sightline.errors import InvalidOption, SourceFailed
from sightline.images.decode import MAX_PIXELS
from sightline.images.fetch import Fetcher

Engine = Literal["bing", "google"]
_TRIES = 5


class Crawler:
    """Finds pictures by a search engine's own page. Raises `InvalidOption` where icrawler is not installed."""

    def __init__(self, engine: Engine, fetcher: Fetcher, *, max_pixels: int = MAX_PIXELS) -> None:
        self._engine, self._fetcher, self._max_pixels = engine, fetcher, max_pixels
        try:
            importlib.import_module("icrawler.builtin")
        except ImportError:
            raise InvalidOption(f"backgrounds from {engine} need icrawler: pip install sightline[search]") from None

    def find(self, query: str, size: tuple[int, int]) -> Background:
        """The first picture of the first page of answers that downloads and decodes."""
        text = words_of(query)
        addresses = self._search(text)
        if not addresses:
            raise SourceFailed(f"{self._engine} gave no pictures for {text!r}")
        index, pixels = first_usable(addresses[:_TRIES], size, fetcher=self._fetcher, max_pixels=self._max_pixels)
        return Background(pixels, self._engine, text, url=addresses[index])

    def _search(self, text: str) -> list[str]:
        name = self._engine.capitalize()
        module = importlib.import_module(f"icrawler.builtin.{self._engine}")
        feeder = getattr(module, f"{name}Feeder")(1, None, None)
        parser = getattr(module, f"{name}Parser")(1, None, None)
        feeder.out_queue = queue.Queue()
        # icrawler encodes the words of a Google query itself, those of a Bing query not.
        keyword = quote_plus(text) if self._engine == "bing" else text
        feeder.feed(keyword=keyword, offset=0, max_num=1, filters={"size": "large"})
        page = self._fetcher.get(feeder.out_queue.get_nowait(), accept="text/html")
        try:
            found = list(parser.parse(types.SimpleNamespace(content=page)) or ())
            return [str(item["file_url"]) for item in found]
        # A search page changes when its owner likes, and a parser of foreign HTML fails in any way there is.
        except Exception as error:
            raise SourceFailed(f"{self._engine}'s page could not be read: {type(error).__name__}") from None
