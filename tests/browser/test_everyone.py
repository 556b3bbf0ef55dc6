"""The page for everyone: a phone's width, the keyboard alone, both themes, and nothing from elsewhere."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from .conftest import SAMPLES, Watched

pytestmark = pytest.mark.browser

ASTRONAUT = SAMPLES / "astronaut.jpg"


def test_narrow_screen(watched: Watched, tasks):
    page = watched.page
    page.set_viewport_size({"width": 360, "height": 740})
    watched.open("faces")
    for name, task in tasks.items():
        page.locator(f"#task-{name}").click()
        if task["ready"] and page.locator(".sample").count():
            page.locator(".sample").first.click()
            watched.answered()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        outside = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, a")]
            .filter((one) => one.offsetParent && !one.closest("[role=tablist], .hidden, .skip"))
            .map((one) => [one.getBoundingClientRect(), one.outerHTML])
            .filter(([box]) => box.left < 0 || box.right > innerWidth + 0.5).map(([, html]) => html)"""
        )
        outside = [one for one in outside if 'class="skip"' not in one]
        assert outside == [], name


def test_keyboard_only(watched: Watched):
    page = watched.open("faces").page
    keys = page.keyboard
    choosers = []  # listened to from the start: expect_file_chooser may come too late for a key press
    page.on("filechooser", lambda chooser: choosers.append(chooser))

    def tab_to(selector: str) -> None:
        for _ in range(40):
            keys.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#task-faces")
    keys.press("ArrowRight")
    keys.press("Home")
    expect(page.get_by_role("tab", selected=True).first).to_be_focused()
    page.locator("#task-faces").focus()
    keys.press("Enter")
    tab_to("#picture-image")
    ring = page.locator(".drop").evaluate("zone => getComputedStyle(zone).boxShadow")
    assert ring != "none"
    keys.press("Enter")
    for _ in range(50):
        if choosers:
            break
        page.wait_for_timeout(100)
    choosers[0].set_files(str(ASTRONAUT))
    expect(page.locator("#facts")).to_be_visible()
    tab_to("#run")
    with page.expect_response("**/v1/faces"):
        keys.press("Enter")
    # The facts of the first answer stand until the second one is here, which is then announced.
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")
    tab_to("#code-curl")
    keys.press("ArrowRight")
    expect(page.locator("#code-python")).to_be_focused()
    expect(page.locator("#code-panel")).to_contain_text("httpx")
    tab_to('[aria-label="Copy the Python request"]')
    keys.press("Enter")
    expect(page.locator("#status")).to_have_text("Copied the Python request.")


def test_everything_has_a_name(watched: Watched, tasks):
    page = watched.open("faces").page
    for name in tasks:
        page.locator(f"#task-{name}").click()
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, a, img:not([alt])")]
            .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length || one.alt))
            .map((one) => one.outerHTML)"""
        )
        assert nameless == [], name


# WCAG AA: 4.5 to 1 for text, 3 to 1 from 24 px (or 18.66 px bold) on.
CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !one.checkVisibility() || one.closest("fieldset:disabled, .hidden, noscript")) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(parse(style.color)), light(behind(one))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && style.fontWeight >= 600) ? 3 : 4.5;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < enough) poor.push([one.className || one.tagName, text.slice(0, 30), ratio.toFixed(2)]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(watched: Watched, tasks, scheme):
    page = watched.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    watched.open("faces")
    for name, task in tasks.items():
        page.locator(f"#task-{name}").click()
        assert page.evaluate(CONTRAST) == [], name
        if task["ready"] and page.locator(".sample").count():
            page.locator(".sample").first.click()
            watched.answered()
            assert page.evaluate(CONTRAST) == [], name


def test_dark_mode(watched: Watched):
    page = watched.page

    def ground() -> int:
        shot = Image.open(io.BytesIO(page.screenshot())).convert("L")
        return shot.getpixel((5, 400))

    watched.open("faces")
    assert ground() > 240
    page.emulate_media(color_scheme="dark")
    assert ground() < 30
    page.get_by_role("button", name="Switch to light theme").click()
    assert ground() > 240
    page.reload()  # the choice is kept
    expect(page.get_by_role("button", name="Switch to dark theme")).to_be_visible()
    assert ground() > 240


def test_models_and_licences(watched: Watched):
    page = watched.open().page
    page.get_by_role("button", name="Models").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".model").first).to_be_visible()
    for text in dialog.locator(".model-licence").all_inner_texts():
        assert text
        assert "not stated" not in text
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_page_is_strict_about_what_it_loads(watched: Watched):
    reply = watched.page.goto(watched.url)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    html = reply.text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
