"""One headless Chromium for all page tests, and a page that watches itself.

`server_url` (tests/conftest.py) is the address of a real `sightline serve` process, `chromium` the browser's path.
"""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import sightline

SAMPLES = Path(sightline.__file__).parent / "web" / "samples"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
WATCH_CSP = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI || event.sourceFile}`));
"""


@dataclass
class Watched:
    """A page together with all it asked for and all it complained about."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    may_fail: bool = False  # Chromium logs every answer above 399 as an error of the page

    def open(self, task: str | None = None) -> "Watched":
        self.page.goto(f"{self.url}/#/{task}" if task else f"{self.url}/")
        expect(self.page.get_by_role("tab", selected=True).first).to_be_visible()
        return self

    def give(self, slot: str, *files: "str | Path | dict[str, object]") -> None:
        self.page.locator(f"#picture-{slot}").set_input_files(list(files))  # type: ignore[arg-type]

    def answered(self) -> dict:  # type: ignore[type-arg]
        """Waits for the answer on screen and gives its JSON, as the copy button would copy it."""
        expect(self.page.locator("#facts")).to_be_visible(timeout=60_000)
        self.page.locator("#code-json").click()
        self.page.get_by_role("button", name="Copy the whole answer").click()
        return json.loads(self.page.evaluate("navigator.clipboard.readText()"))

    def inked(self) -> int:
        """How many pixels of the overlay are painted."""
        return self.page.evaluate(
            """() => { const canvas = document.querySelector(".frame canvas");
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let painted = 0; for (let i = 3; i < data.length; i += 4) painted += data[i] > 0; return painted; }"""
        )

    def check(self) -> None:
        foreign = [one for one in self.requests if not one.startswith((self.url + "/", "blob:", "data:"))]
        assert not foreign, f"the page asked somebody else: {foreign}"
        assert self.page.evaluate("window.violations ?? []") == []
        complaints = [one for one in self.complaints if not (self.may_fail and "Failed to load resource" in one)]
        assert not complaints, complaints


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser a file: Playwright runs an event loop in this thread as long as it lives."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, server_url: str) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write", "camera"], origin=server_url.rstrip("/"))
    yield context
    context.close()


@pytest.fixture
def watched(context: BrowserContext, server_url: str) -> Iterator[Watched]:
    page = context.new_page()
    page.add_init_script(WATCH_CSP)
    result = Watched(page, server_url.rstrip("/"))
    page.on("request", lambda request: result.requests.append(request.url))
    page.on("console", lambda message: message.type in ("error", "warning") and result.complaints.append(message.text))
    page.on("pageerror", lambda error: result.complaints.append(str(error)))
    yield result
    result.check()


@pytest.fixture(scope="session")
def tasks(server_url: str) -> dict[str, dict]:  # type: ignore[type-arg]
    with urllib.request.urlopen(f"{server_url.rstrip('/')}/v1/tasks") as reply:
        return {task["name"]: task for task in json.load(reply)["tasks"]}
