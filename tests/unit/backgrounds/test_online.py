"""Openverse and the crawler against a local server that speaks their languages; choosing and falling back."""

from __future__ import annotations

import io
import json
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from sightline.backgrounds import PROVIDERS, Gallery, choose
from sightline.backgrounds.choose import _FallsBack
from sightline.backgrounds.crawler import Crawler
from sightline.backgrounds.openverse import Openverse
from sightline.errors import InvalidOption, Offline, SourceFailed
from sightline.images.fetch import Fetcher
from sightline.settings import Settings

SIZE = (96, 64)
FETCHER = Fetcher(timeout=5, max_bytes=100_000, is_allowed=lambda address: str(address) == "127.0.0.2")


def jpeg(colour: str, size: tuple[int, int] = (120, 80)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


class Web:
    """A web server on 127.0.0.2: paths to (status, body), and the requests it saw."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.seen: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.seen.append(self.path)
                status, body = web.pages.get(urlsplit(self.path).path, (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.2", 0), Handler)
        self.address = f"http://127.0.0.2:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, *results: dict[str, Any]) -> None:
        """Openverse's answer to a search, in the shape that its API documents."""
        body = {"result_count": len(results), "page_count": 1, "page_size": 20, "page": 1, "results": list(results)}
        self.pages["/v1/images/"] = (200, json.dumps(body).encode())

    def result(self, name: str, **more: Any) -> dict[str, Any]:
        return {
            "id": "4f6f1f4e-0000-4000-8000-000000000000",
            "title": f"The {name}",
            "foreign_landing_url": f"https://photos.example/{name}",
            "url": f"{self.address}/{name}.jpg",
            "creator": "Ada",
            "creator_url": "https://photos.example/ada",
            "license": "by-sa",
            "license_version": "2.0",
            "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
            "provider": "flickr",
            "source": "flickr",
            "width": 1600,
            "height": 1000,
            "thumbnail": f"{self.address}/v1/images/4f6f/thumb/",
        } | more


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    web.pages["/red.jpg"] = (200, jpeg("#c00000"))
    web.pages["/blue.jpg"] = (200, jpeg("#0000c0"))
    yield web
    web.server.shutdown()
    web.server.server_close()


def openverse(web: Web) -> Openverse:
    return Openverse(FETCHER, api=f"{web.address}/v1")


def is_red(pixels: Any) -> bool:
    return bool(pixels[..., 0].mean() > 150 and pixels[..., 2].mean() < 60)


def test_openverse_gives_the_picture_with_its_credit(web: Web) -> None:
    web.answer(web.result("red"), web.result("blue"))
    found = openverse(web).find("sunset over  the sea & more", SIZE)
    assert found.to_dict() == {
        "source": "openverse",
        "title": "The red",
        "licence": "CC BY-SA 2.0",
        "url": "https://photos.example/red",
        "author": "Ada",
    }
    assert found.pixels.shape == (64, 96, 3)
    assert is_red(found.pixels)
    asked = parse_qs(urlsplit(web.seen[0]).query)
    assert asked["q"] == ["sunset over the sea & more"]
    assert asked["license_type"] == ["commercial,modification"]
    assert asked["aspect_ratio"] == ["wide"]
    assert asked["mature"] == ["false"]


@pytest.mark.parametrize(
    ("code", "version", "licence"),
    [("cc0", "1.0", "CC0 1.0"), ("pdm", "1.0", "Public Domain Mark 1.0"), ("by", None, "CC BY"), (None, None, "")],
)
def test_licences_in_words(web: Web, code: str | None, version: str | None, licence: str) -> None:
    web.answer(web.result("red", license=code, license_version=version, creator=None, title=None))
    found = openverse(web).find("sea", SIZE)
    assert (found.licence, found.author, found.title) == (licence, None, "sea")


def test_large_pictures_come_first(web: Web) -> None:
    web.answer(web.result("blue", width=50, height=40), web.result("blue", width=None, height=None), web.result("red"))
    assert is_red(openverse(web).find("sea", SIZE).pixels)


def test_a_result_that_does_not_download_is_passed_over(web: Web) -> None:
    web.pages["/text.jpg"] = (200, b"<html>not a picture</html>")
    forbidden = web.result("x", url="http://127.0.0.1:8000/x.jpg")
    web.answer(forbidden, web.result("text"), web.result("red"))
    assert openverse(web).find("sea", SIZE).title == "The red"


def test_no_result_that_downloads_is_a_failure_with_the_reason(web: Web) -> None:
    web.answer(*[web.result("gone")] * 9)
    with pytest.raises(SourceFailed, match="404"):
        openverse(web).find("sea", SIZE)
    assert web.seen.count("/gone.jpg") == 3


def test_nothing_found_is_not_a_failure_of_the_source(web: Web) -> None:
    web.answer()
    with pytest.raises(InvalidOption, match="nothing for 'sea'"):
        openverse(web).find("sea", SIZE)


@pytest.mark.parametrize(
    "page",
    [
        (429, b'{"detail": "throttled"}'),
        (500, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"results": 3}'),
        (200, b"\xff\xfe"),
        (200, b"[" * 90_000),
        (200, b" " * 100_001),
    ],
    ids=["throttled", "broken", "html", "list", "number", "bytes", "nested", "large"],
)
def test_an_answer_that_is_none_is_the_source_s_failure(web: Web, page: tuple[int, bytes]) -> None:
    web.pages["/v1/images/"] = page
    with pytest.raises(SourceFailed):
        openverse(web).find("sea", SIZE)


def test_results_of_other_shapes_are_passed_over(web: Web) -> None:
    web.answer("text", {}, {"url": 3}, web.result("red", width="wide"))  # type: ignore[arg-type]
    assert openverse(web).find("sea", SIZE).title == "The red"


@pytest.fixture
def icrawler(web: Web, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What icrawler 0.6.10 offers, pointed at the local server; the questions put to it."""
    asked: list[dict[str, Any]] = []

    class Feeder:
        out_queue: Any

        def __init__(self, thread_num: int, signal: object, session: object) -> None:
            pass

        def feed(self, keyword: str, offset: int, max_num: int, filters: dict[str, str]) -> None:
            asked.append({"keyword": keyword, "filters": filters})
            self.out_queue.put(f"{web.address}/search?q={keyword}".replace(" ", "+"))

    class Parser:
        def __init__(self, thread_num: int, signal: object, session: object) -> None:
            pass

        def parse(self, response: Any) -> list[dict[str, str]] | None:
            lines = response.content.decode().split()
            return [{"file_url": line} for line in lines] or None

    for engine in ("bing", "google"):
        module = types.ModuleType(f"icrawler.builtin.{engine}")
        setattr(module, f"{engine.capitalize()}Feeder", Feeder)
        setattr(module, f"{engine.capitalize()}Parser", Parser)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("icrawler", "icrawler.builtin"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    return asked


@pytest.mark.parametrize(("engine", "keyword"), [("bing", "sea+%26+sun"), ("google", "sea & sun")])
def test_the_crawler_takes_the_first_picture_that_works(
    web: Web, icrawler: list[dict[str, Any]], engine: Any, keyword: str
) -> None:
    web.pages["/search"] = (200, f"http://127.0.0.1:1/x.jpg {web.address}/gone.jpg {web.address}/red.jpg".encode())
    found = Crawler(engine, FETCHER).find("sea & sun", SIZE)
    assert is_red(found.pixels)
    assert (found.source, found.licence, found.url) == (engine, "", f"{web.address}/red.jpg")
    assert icrawler == [{"keyword": keyword, "filters": {"size": "large"}}]


def test_a_search_page_without_pictures(web: Web, icrawler: list[dict[str, Any]]) -> None:
    for body in (b"", b"\xff\xff"):
        web.pages["/search"] = (200, body)
        with pytest.raises(SourceFailed, match="bing"):
            Crawler("bing", FETCHER).find("sea", SIZE)


def test_the_crawler_without_icrawler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "icrawler", None)
    with pytest.raises(InvalidOption, match=r"pip install sightline\[search\]"):
        choose("bing", Settings())


def test_an_unknown_provider_names_those_there_are() -> None:
    with pytest.raises(InvalidOption, match="gallery, openverse, bing, google"):
        choose("flickr", Settings())


def test_the_gallery_of_the_settings(tmp_path: Any) -> None:
    Image.new("RGB", (8, 8), "#c00000").save(tmp_path / "kitchen.png")
    settings = Settings(gallery=tmp_path, offline=True)
    assert is_red(choose("gallery", settings).find("kitchen", SIZE).pixels)


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "gallery"])
def test_offline_refuses_or_says_that_the_gallery_answered(name: str) -> None:
    with pytest.raises(Offline, match=name):
        choose(name, Settings(offline=True))
    found = choose(name, Settings(offline=True), fallback=True).find("sunset", SIZE)
    assert (found.source, found.title) == (f"gallery ({name} not asked: offline)", "Sunset over the sea")


def unreachable(name: str, port: int) -> list[str]:
    raise OSError("no network")


def test_an_unreachable_provider_fails_unless_the_fallback_was_asked_for() -> None:
    fetcher = Fetcher(timeout=5, resolver=unreachable)
    with pytest.raises(SourceFailed, match="could not be reached"):
        choose("openverse", Settings(), fetcher=fetcher).find("sunset", SIZE)
    fallback = choose("openverse", Settings(), fallback=True, fetcher=fetcher)
    found = fallback.find("sunset", SIZE)
    assert (found.source, found.title) == ("gallery (openverse could not be reached)", "Sunset over the sea")
    with pytest.raises(SourceFailed, match=r"no network.*nothing for 'unicorn'"):
        fallback.find("unicorn", SIZE)


def test_the_fallback_is_not_used_where_the_provider_answers(web: Web) -> None:
    provider = _FallsBack("openverse", openverse(web), Gallery())
    web.answer(web.result("red"))
    assert provider.find("sunset", SIZE).source == "openverse"
    web.answer()
    with pytest.raises(InvalidOption, match="openverse has nothing"):
        provider.find("sunset", SIZE)
