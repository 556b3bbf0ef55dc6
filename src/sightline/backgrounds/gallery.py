"""Backgrounds in a folder: pictures, and a `gallery.toml` that says what they show.

    [[picture]]
    file = "sunset.jpg"
    title = "Sunset over the sea"
    tags = ["evening", "sky"]
    licence = "CC0-1.0"
    author = "..."                  # optional, as is url

A folder without the file works too: its pictures then go by their file names.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.backgrounds.base import Background, cover, words_of
from sightline.errors import InvalidOption, SightlineError
from sightline.images.decode import read
from sightline.settings import Settings

EMBEDDED = Path(__file__).parent / "gallery"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

# Words that people use for one another when they ask for a background. A tag matches better than these do.
_ALIKE = (
    "sea ocean water coast shore seaside waves",
    "beach sand shore coast seaside tropical holiday vacation",
    "sunset sundown dusk dawn sunrise evening",
    "night stars galaxy space dark midnight milkyway",
    "forest wood tree woodland jungle nature",
    "mountain hill alp peak summit nature landscape",
    "office work business desk meeting coworking",
    "city town urban skyline street metropolis downtown",
    "library book bookshelf bookcase study reading",
    "studio portrait neutral plain seamless",
    "abstract gradient pattern modern art",
    "grey gray",
    "white blank empty clean",
)
_SMALL = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "into", "of", "on", "over", "the", "to", "with"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a gallery, as `gallery.toml` describes it."""

    file: Path
    title: str
    tags: tuple[str, ...] = ()
    licence: str = ""
    url: str | None = None
    author: str | None = None


class Gallery:
    """The backgrounds of a folder. Reads `gallery.toml` once; pictures when they are asked for.

    Raises `InvalidOption` for a folder that is not there, has no pictures or has an unreadable `gallery.toml`.
    """

    def __init__(self, folder: Path = EMBEDDED, *, settings: Settings | None = None) -> None:
        self._settings = settings
        self.entries: tuple[Entry, ...] = tuple(_entries(folder))
        if not self.entries:
            raise InvalidOption(f"the gallery {folder} has no pictures")

    def find(self, query: str, size: tuple[int, int]) -> Background:
        """The picture whose title and tags say most of the query's words; among equals the first in the file.

        Raises `InvalidOption`, with the titles there are, where not one word fits.
        """
        text = words_of(query)
        wanted = _stems(text)
        best = max(self.entries, key=lambda entry: _score(wanted, entry))  # `max` keeps the first of equals
        if _score(wanted, best) == 0:
            titles = ", ".join(entry.title for entry in self.entries)
            raise InvalidOption(f"the gallery has nothing for {text!r}; it has: {titles}")
        try:
            picture = read(best.file, settings=self._settings)
        except SightlineError as error:
            raise InvalidOption(f"the gallery's {best.file.name} cannot be used: {error}") from None
        return Background(cover(picture.pixels, *size), "gallery", best.title, best.licence, best.url, best.author)


def _entries(folder: Path) -> list[Entry]:
    listing = folder / "gallery.toml"
    if not listing.is_file():
        if not folder.is_dir():
            raise InvalidOption(f"the gallery {folder} is not a folder")
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        return [Entry(path, " ".join(re.split(r"[-_ ]+", path.stem))) for path in files]
    try:
        rows = tomllib.loads(listing.read_text("utf-8")).get("picture", [])
        return [_entry(folder, row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidOption(f"{listing} cannot be read: {type(error).__name__}: {error}") from None


def _entry(folder: Path, row: dict[str, Any]) -> Entry:
    file = (folder / row["file"]).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(f"{row['file']} lies outside the gallery")
    tags = row.get("tags", [])
    if not isinstance(tags, list):
        raise TypeError("tags is a list of words")
    title = row.get("title") or file.stem
    return Entry(file, title, tuple(tags), row.get("licence", ""), row.get("url"), row.get("author"))


def _score(wanted: list[str], entry: Entry) -> int:
    titles, tags = set(_stems(entry.title)), set(_stems(" ".join(entry.tags)))
    total = 0
    for stem in wanted:
        if stem in titles:
            total += 4
        elif stem in tags:
            total += 3
        elif _SYNONYMS.get(stem, frozenset()) & titles:
            total += 2
        elif _SYNONYMS.get(stem, frozenset()) & tags:
            total += 1
    return total


def _stems(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return list(dict.fromkeys(_stem(word) for word in words if word not in _SMALL))


def _stem(word: str) -> str:
    """A word without its commonest endings; only good for comparing with another stem."""
    for ending, put in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("lves", "lf")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + put
    for ending in ("ing", "ed", "y", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word.removesuffix(ending)
    return word


def _synonyms() -> dict[str, frozenset[str]]:
    table: dict[str, frozenset[str]] = {}
    for line in _ALIKE:
        group = frozenset(_stems(line))
        for stem in group:
            table[stem] = table.get(stem, frozenset()) | group
    return table


_SYNONYMS = _synonyms()
