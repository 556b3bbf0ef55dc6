"""The gallery on disk: what words find, and what a broken folder says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.backgrounds import Gallery
from sightline.backgrounds.gallery import EMBEDDED
from sightline.errors import InvalidOption
from sightline.settings import Settings

SIZE = (64, 48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("red.png", "#c00000"), ("green.png", "#00c000"), ("blue.png", "#0000c0")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / name)
    (tmp_path / "gallery.toml").write_text(
        """
        [[picture]]
        file = "red.png"
        title = "Evening sky"
        tags = ["clouds", "sea"]
        licence = "CC BY 4.0"
        author = "Ada"
        url = "https://pictures.example/red"
        [[picture]]
        file = "green.png"
        title = "Sea in the evening"
        [[picture]]
        file = "blue.png"
        title = "Mountain lakes"
        tags = ["cloud"]
        """
    )
    return tmp_path


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("evening sky", "Evening sky"),
        ("SKY!", "Evening sky"),
        ("the sea", "Sea in the evening"),  # a title beats a tag
        ("lake", "Mountain lakes"),
        ("cloudy", "Evening sky"),  # equal matches: the first in the file
        ("mountains with clouds", "Mountain lakes"),  # two words beat one
        ("alps", "Mountain lakes"),  # a synonym
        ("seaside", "Sea in the evening"),
    ],
)
def test_the_picture_that_says_most_of_the_words(folder: Path, query: str, title: str) -> None:
    assert Gallery(folder).find(query, SIZE).title == title


def test_the_answer_names_source_licence_author_and_address(folder: Path) -> None:
    found = Gallery(folder).find("sky", SIZE)
    assert found.to_dict() == {
        "source": "gallery",
        "title": "Evening sky",
        "licence": "CC BY 4.0",
        "url": "https://pictures.example/red",
        "author": "Ada",
    }
    assert found.pixels.shape == (48, 64, 3)
    assert (found.pixels == [0xC0, 0, 0]).all()


def test_nothing_that_fits_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(InvalidOption, match=r"unicorn.*Evening sky, Sea in the evening, Mountain lakes"):
        Gallery(folder).find("unicorn", SIZE)


@pytest.mark.parametrize("query", ["", "  \n ", "x" * 201])
def test_a_query_that_is_none(folder: Path, query: str) -> None:
    with pytest.raises(InvalidOption, match="query"):
        Gallery(folder).find(query, SIZE)


def test_a_folder_of_pictures_alone_goes_by_their_names(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "#123456").save(tmp_path / "my-living_room.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    gallery = Gallery(tmp_path)
    assert [entry.title for entry in gallery.entries] == ["my living room"]
    assert (gallery.find("living", SIZE).pixels == [0x12, 0x34, 0x56]).all()


def test_a_folder_that_cannot_serve(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="no pictures"):
        Gallery(tmp_path)
    with pytest.raises(InvalidOption, match="not a folder"):
        Gallery(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "[[picture",
        "picture = 3",
        "[[picture]]\ntitle = 'no file'",
        "[[picture]]\nfile = '../x.png'",
        "[[picture]]\nfile = 'a.png'\ntags = 'sea'",
        "[[picture]]\nfile = 7",
        "picture = ['a.png']",
    ],
)
def test_a_broken_listing_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "gallery.toml").write_text(text)
    with pytest.raises(InvalidOption, match=r"gallery\.toml"):
        Gallery(tmp_path)


def test_a_picture_that_is_gone_or_too_large_is_named(folder: Path) -> None:
    (folder / "red.png").unlink()
    with pytest.raises(InvalidOption, match=r"red\.png"):
        Gallery(folder).find("sky", SIZE)
    with pytest.raises(InvalidOption, match=r"green\.png"):
        Gallery(folder, settings=Settings(max_pixels=100)).find("sea", SIZE)


@pytest.mark.parametrize(
    ("query", "file"),
    [
        ("studio", "studio.jpg"),
        ("blue studio", "studio-blue.jpg"),
        ("white", "white.jpg"),
        ("sunset", "sunset.jpg"),
        ("stars", "night-sky.jpg"),
        ("night sky", "night-sky.jpg"),
        ("mountain", "mountains.jpg"),
        ("beaches", "sea.jpg"),
        ("ocean", "sunset.jpg"),
        ("the forest", "forest.jpg"),
        ("office", "office.jpg"),
        ("books", "library.jpg"),
        ("city at night", "city-night.jpg"),
        ("gradients", "abstract.jpg"),
    ],
)
def test_the_embedded_gallery_finds(query: str, file: str) -> None:
    found = Gallery().find(query, (160, 90))
    entry = next(entry for entry in Gallery().entries if entry.title == found.title)
    assert entry.file.name == file
    assert found.licence == "CC0-1.0"


def test_the_embedded_gallery_is_whole_and_small() -> None:
    listed = {entry.file.name for entry in Gallery().entries}
    files = list(EMBEDDED.glob("*.jpg"))
    assert listed == {file.name for file in files}
    assert sum(file.stat().st_size for file in files) < 2_500_000
    for file in files:
        assert file.stat().st_size < 250_000
        with Image.open(file) as image:
            assert image.size == (1920, 1280)
            assert np.asarray(image).std() > 2, "not an empty picture"
