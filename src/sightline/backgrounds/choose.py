"""A provider by its name, within what the settings allow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from sightline.backgrounds.base import Background, Provider
from sightline.backgrounds.gallery import EMBEDDED, Gallery
from sightline.errors import InvalidOption, Offline, SourceFailed
from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.images.fetch import Fetcher

PROVIDERS = ("gallery", "openverse", "bing", "google")


def choose(name: str, settings: Settings, *, fallback: bool = False, fetcher: Fetcher | None = None) -> Provider:
    """The provider called `name`: one of `PROVIDERS`.

    `fallback`: where an online provider cannot be reached, or may not be (offline), the gallery answers and
    `Background.source` says so. Without it, `Offline` is raised here and `SourceFailed` by `find`. An unknown
    name raises `InvalidOption`. `fetcher` replaces the one made from the settings.
    """
    if name not in PROVIDERS:
        raise InvalidOption(f"no background provider is called {name!r}; there are {', '.join(PROVIDERS)}")
    if name == "gallery":
        return _gallery(settings)
    if settings.offline:
        if not fallback:
            raise Offline(f"{name} needs the network, which is forbidden here (SIGHTLINE_OFFLINE)")
        return _Instead(_gallery(settings), f"{name} not asked: offline")
    # Imported here: the gallery needs no HTTP client, and most questions ask no other.
    from sightline.images.fetch import Fetcher

    online = _online(name, settings, fetcher or Fetcher(settings.fetch_timeout, settings.max_bytes))
    return _FallsBack(name, online, _gallery(settings)) if fallback else online


def _gallery(settings: Settings) -> Gallery:
    return Gallery(settings.gallery or EMBEDDED, settings=settings)


def _online(name: str, settings: Settings, fetcher: Fetcher) -> Provider:
    if name == "openverse":
        from sightline.backgrounds.openverse import Openverse

        return Openverse(fetcher, max_pixels=settings.max_pixels)
    from sightline.backgrounds.crawler import Crawler

    return Crawler(cast(Literal["bing", "google"], name), fetcher, max_pixels=settings.max_pixels)


class _Instead:
    """The gallery, answering for another and saying so."""

    def __init__(self, gallery: Provider, reason: str) -> None:
        self._gallery, self._reason = gallery, reason

    def find(self, query: str, size: tuple[int, int]) -> Background:
        found = self._gallery.find(query, size)
        return replace(found, source=f"{found.source} ({self._reason})")


class _FallsBack:
    def __init__(self, name: str, online: Provider, gallery: Provider) -> None:
        self._name, self._online, self._gallery = name, online, gallery

    def find(self, query: str, size: tuple[int, int]) -> Background:
        try:
            return self._online.find(query, size)
        except SourceFailed as failure:
            try:
                return _Instead(self._gallery, f"{self._name} could not be reached").find(query, size)
            except InvalidOption as nothing:
                raise SourceFailed(f"{failure}; and {nothing}") from None
