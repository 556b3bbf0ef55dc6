"""People and their skeletons on the page."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from sightline.tasks.pose import KEYPOINTS

from .conftest import SAMPLES, Watched

pytestmark = [pytest.mark.browser, pytest.mark.models]


def test_people_are_boxed_and_their_bones_drawn(watched: Watched, tasks, tmp_path: Path):
    if not tasks["pose"]["ready"]:
        pytest.skip(tasks["pose"]["reason"])
    page = watched.open("pose").page
    watched.give("image", SAMPLES / "astronaut.jpg")
    (person,) = watched.answered()["people"]
    assert set(person["keypoints"]) == set(KEYPOINTS)
    expect(page.locator(".part")).to_have_count(1)
    expect(page.locator(".part")).to_contain_text("Person 1")
    left, right = (person["keypoints"][f"{side}_shoulder"] for side in ("left", "right"))
    # Half way between the shoulders there is ink: no box's border and no dot lies there, only the bone.
    painted = page.evaluate(
        """([x, y, size]) => { const canvas = document.querySelector(".frame canvas");
        const scale = canvas.width / size, side = Math.ceil(6 * scale);
        const data = canvas.getContext("2d")
          .getImageData(x * scale - side / 2, y * scale - side / 2, side, side).data;
        return data.some((value, at) => at % 4 === 3 && value > 200); }""",
        [(left["x"] + right["x"]) / 2, (left["y"] + right["y"]) / 2, 512],
    )
    assert painted
