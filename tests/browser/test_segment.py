"""Masks on the page, in real headless Chromium against a real server."""

import pytest
from playwright.sync_api import expect

from .conftest import SAMPLES, Watched

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("form", ["rle", "png"])
def test_instances_are_painted(watched: Watched, tasks, form: str):
    if not tasks["segment"]["ready"]:
        pytest.skip("segment is not ready on this server")
    page = watched.open("segment").page
    if form == "png":
        page.get_by_label("Mask").select_option("png")
    watched.give("image", SAMPLES / "astronaut.jpg")
    answer = watched.answered()
    assert all(form in one["mask"] for one in answer["instances"])
    count = len(answer["instances"])
    expect(page.locator(".sentence")).to_have_text(f"{count} object{'' if count == 1 else 's'} outlined.")
    expect(page.locator(".part")).to_have_count(count)
    canvas = page.locator(".frame canvas").evaluate("canvas => canvas.width * canvas.height")
    covered = answer["instances"][0]["area_pixels"] / (answer["image"]["width"] * answer["image"]["height"])
    assert watched.inked() / canvas > 0.8 * covered


def test_the_map_of_kinds(watched: Watched, tasks):
    if not tasks["segment"]["ready"]:
        pytest.skip("segment is not ready on this server")
    page = watched.open("segment").page
    page.get_by_label("Kind").select_option("semantic")
    watched.give("image", SAMPLES / "astronaut.jpg")
    answer = watched.answered()
    person = next(one for one in answer["semantic"]["labels"] if one["label"] == "person")
    expect(page.locator(".bar-name").filter(has_text="person")).to_be_visible()
    canvas = page.locator(".frame canvas").evaluate("canvas => canvas.width * canvas.height")
    assert watched.inked() / canvas == pytest.approx(person["coverage"], abs=0.03)
