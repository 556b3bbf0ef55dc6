"""The page in real headless Chromium against a real server.

Every test ends with `Watched.check`: no request left the origin, no Content-Security-Policy
violation, no console error.
"""

import io
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image
from playwright.sync_api import expect

from .conftest import SAMPLES, Watched

pytestmark = pytest.mark.browser

ASTRONAUT = SAMPLES / "astronaut.jpg"


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def ready(tasks, name):
    if name not in tasks or not tasks[name]["ready"]:
        pytest.skip(f"{name} is not ready on this server")


# --- each task ---------------------------------------------------------------------------------


def test_faces(watched: Watched):
    page = watched.open("faces").page
    watched.give("image", ASTRONAUT)
    answer = watched.answered()
    assert len(answer["faces"]) == 1
    expect(page.locator(".sentence")).to_have_text("1 face found.")
    expect(page.locator("#status")).to_have_text(re.compile("Copied|1 face found"))
    expect(page.locator(".part")).to_have_count(1)
    assert watched.inked() > 200
    expect(page.locator(".time-total")).to_contain_text("ms")
    expect(page.locator(".models")).to_contain_text(answer["model"]["name"])
    expect(page.locator(".request-id code")).not_to_be_empty()


def test_requests_to_copy_follow_the_form(watched: Watched):
    page = watched.open("faces").page
    watched.give("image", ASTRONAUT)
    watched.answered()
    expected = {
        "curl": "-F image=@astronaut.jpg",
        "python": "httpx.post(",
        "local": 'sightline.load("faces")',
        "javascript": "new FormData()",
    }
    for tab, part in expected.items():
        page.locator(f"#code-{tab}").click()
        page.get_by_role("button", name=re.compile("^Copy the .* request$")).click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert part in copied
        assert copied == page.locator("#code-panel").inner_text().rstrip("\n")
        assert (f"{watched.url}/v1/faces" in copied) == (tab != "local")


@pytest.mark.parametrize("task", ["faces", "similarity", "background"])
def test_copied_requests_run_as_they_stand(watched: Watched, task, tmp_path):
    page = watched.open(task).page
    page.locator(".sample").first.click()
    watched.answered()
    shutil.copytree(SAMPLES, tmp_path, dirs_exist_ok=True)
    runners = {
        "curl": ["bash", "-c"],
        "python": [sys.executable, "-c"],
        "javascript": ["node", "--input-type=module", "-e"],
    }
    for tab, runner in runners.items():
        if not all(shutil.which(tool) for tool in (runner[0], tab if tab == "curl" else runner[0])):
            continue
        page.locator(f"#code-{tab}").click()
        code = page.locator("#code-panel").inner_text()
        done = subprocess.run([*runner, code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (tab, done.stderr)
        if task == "background":
            assert Image.open(tmp_path / "answer.png").size == (512, 512)
            (tmp_path / "answer.png").unlink()
        else:
            assert "timings_ms" in done.stdout


def test_similarity(watched: Watched):
    page = watched.open("similarity").page
    page.locator(".sample").first.click()
    answer = watched.answered()
    assert answer["more_similar"] == "img1"
    expect(page.locator(".verdict-line")).to_have_text("Image 1 is more similar to the anchor.")
    expect(page.locator(".pair.winner")).to_contain_text("More similar")
    expect(page.locator(".pair.winner .tag")).to_have_text("Same person")
    expect(page.locator(".pair .score")).to_have_count(2)


def test_similarity_waits_for_all_three(watched: Watched):
    page = watched.open("similarity").page
    watched.give("anchor", ASTRONAUT)
    watched.give("img1", SAMPLES / "astronaut-mirrored.jpg")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Image 2")
    expect(page.locator("#picture-img2")).to_be_focused()
    assert not [one for one in watched.requests if one.endswith("/v1/similarity")]
    watched.give("img2", SAMPLES / "admiral.jpg")
    watched.answered()


def test_background(watched: Watched):
    page = watched.open("background").page
    page.locator(".sample").first.click()
    answer = watched.answered()
    assert 0 < answer["coverage"] < 1
    assert answer["mask"]["png"]  # the whole JSON, though the picture came alone
    before = page.locator(".compare .before")
    middle = before.evaluate("image => image.style.clipPath")
    page.get_by_role("slider").press("Home")
    assert before.evaluate("image => image.style.clipPath") != middle
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    picture = Image.open(download.value.path())
    assert (picture.format, picture.size) == ("PNG", (512, 512))


def test_background_see_through(watched: Watched):
    page = watched.open("background").page
    page.get_by_role("radio", name="Nothing").check()
    watched.give("image", ASTRONAUT)
    watched.answered()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    picture = Image.open(download.value.path())
    assert picture.mode == "RGBA"
    low, high = picture.getchannel("A").getextrema()
    assert (low, high) == (0, 255)
    page.locator("#code-curl").click()
    expect(page.locator("#code-panel")).to_contain_text("transparent=true")


def test_background_with_a_photo(watched: Watched):
    page = watched.open("background").page
    watched.give("image", ASTRONAUT)
    watched.answered()
    page.get_by_role("radio", name="Photo").check()
    watched.give("background", SAMPLES / "admiral.jpg")
    watched.answered()
    page.locator("#code-curl").click()
    expect(page.locator("#code-panel")).to_contain_text("-F background=@admiral.jpg")


def test_emotion(watched: Watched, tasks):
    ready(tasks, "emotion")
    page = watched.open("emotion").page
    watched.give("image", ASTRONAUT)
    (face,) = watched.answered()["faces"]
    expect(page.locator(".bars .bar")).to_have_count(7)
    expect(page.locator(".bar.first")).to_contain_text(face["emotion"])
    assert watched.inked() > 200


def test_detect(watched: Watched, tasks):
    ready(tasks, "detect")
    page = watched.open("detect").page
    watched.give("image", ASTRONAUT)
    things = watched.answered()["objects"]
    expect(page.locator(".part")).to_have_count(len(things))
    expect(page.locator(".part").first).to_contain_text("Person")
    expect(page.locator(".sentence")).to_contain_text(f"{len(things)} object")
    assert watched.inked() > 200


def test_lungs(watched: Watched, tasks):
    ready(tasks, "lungs")
    watched.open("lungs")
    watched.give("image", ASTRONAUT)
    assert watched.answered()["mask"]["png"]


def test_classify(watched: Watched, tasks):
    ready(tasks, "classify")
    page = watched.open("classify").page
    watched.give("image", ASTRONAUT)
    labels = watched.answered()["labels"]
    expect(page.locator(".bars .bar")).to_have_count(len(labels))
    expect(page.locator(".bar.first")).to_contain_text("person")
    expect(page.get_by_text("Most likely: person")).to_be_visible()


def test_every_task_is_listed_and_unready_ones_say_why(watched: Watched, tasks):
    page = watched.open().page
    assert page.locator("#tasks [role=tab]").count() == len(tasks)
    for name, task in tasks.items():
        page.locator(f"#task-{name}").click()
        assert page.locator("#run").is_enabled() == task["ready"]
        if not task["ready"]:
            expect(page.locator("#reason")).to_contain_text("Not ready on this server")
            expect(page.locator("#reason")).to_contain_text(task["reason"].replace("`", ""), ignore_case=True)


# --- ways in -----------------------------------------------------------------------------------

HAND_OVER = """async ([kind, sample]) => {
  const blob = await (await fetch(sample)).blob();
  const data = new DataTransfer();
  data.items.add(new File([blob], "given.jpg", { type: "image/jpeg" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("stage").dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_paste_and_drop(watched: Watched, kind):
    page = watched.open("faces").page
    page.evaluate(HAND_OVER, [kind, "web/samples/astronaut.jpg"])
    assert len(watched.answered()["faces"]) == 1
    expect(page.locator(".file-name")).to_have_text("given.jpg")


def test_camera(watched: Watched):
    page = watched.open("faces").page
    page.get_by_role("button", name="Take image with the camera").click()
    page.get_by_role("button", name="Take photo").click()
    assert watched.answered()["image"]["width"] > 0
    expect(page.locator(".file-name")).to_have_text("camera.jpg")


def test_phone_photo_stands_upright(watched: Watched):
    """EXIF orientation 6: stored lying, seen standing; boxes belong to the standing picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.open(ASTRONAUT).crop((0, 0, 512, 400)).rotate(90, expand=True)
    page = watched.open("faces").page
    watched.give("image", {"name": "phone.jpg", "mimeType": "image/jpeg", "buffer": encoded(lying, "JPEG", exif=exif)})
    answer = watched.answered()
    assert answer["image"] == {"width": 512, "height": 400}
    natural = page.locator(".frame img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert natural == [512, 400]
    assert len(answer["faces"]) == 1


def test_format_that_browsers_cannot_show(watched: Watched):
    page = watched.open("faces").page
    tiff = encoded(Image.open(ASTRONAUT), "TIFF")
    watched.give("image", {"name": "scan.tif", "mimeType": "image/tiff", "buffer": tiff})
    assert len(watched.answered()["faces"]) == 1
    assert page.locator(".frame img").evaluate("image => image.naturalWidth") == 512


# --- what goes wrong ---------------------------------------------------------------------------


def test_upload_that_fails(watched: Watched):
    watched.may_fail = True
    page = watched.open("faces").page
    watched.give(
        "image", {"name": "letter.jpg", "mimeType": "image/jpeg", "buffer": b"Dear server, I am a letter.\n" * 40}
    )
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("unsupported_format")
    expect(alert.get_by_role("button", name="Copy the request id")).to_be_visible()
    expect(page.locator("#facts")).to_be_hidden()
    watched.give("image", ASTRONAUT)  # and the page is not stuck
    watched.answered()
    expect(alert).to_be_hidden()


def test_cancel(watched: Watched):
    page = watched.open("faces").page
    held = []
    page.route("**/v1/faces", lambda route: held.append(route))
    watched.give("image", ASTRONAUT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("Cancelled.")
    expect(page.locator("#facts")).to_be_hidden()
    page.unroute("**/v1/faces")
    page.get_by_role("button", name="Run", exact=True).click()
    watched.answered()


def test_server_that_is_gone(watched: Watched):
    watched.may_fail = True
    page = watched.open("faces").page
    page.route("**/v1/faces", lambda route: route.abort())
    watched.give("image", ASTRONAUT)
    expect(page.get_by_role("alert")).to_contain_text("no_connection")


def test_asks_for_the_api_key(watched: Watched):
    watched.may_fail = True
    page = watched.page
    refusal = '{"error": {"code": "unauthorized", "message": "An API key is required.", "request_id": "r1"}}'

    def guard(route):
        if route.request.headers.get("x-api-key") == "right":
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/json", body=refusal)

    page.route("**/v1/**", guard)
    page.goto(f"{watched.url}/#/faces")
    for key in ("wrong", "right"):
        page.get_by_role("textbox", name="API key").fill(key)
        page.get_by_role("button", name="Use this key").click()
    watched.give("image", ASTRONAUT)
    watched.answered()
    assert page.evaluate("[Object.values(sessionStorage), Object.values(localStorage)]") == [["right"], []]
    page.locator("#code-curl").click()
    expect(page.locator("#code-panel")).to_contain_text("$SIGHTLINE_API_KEY")
    expect(page.locator("#code-panel")).not_to_contain_text("right")
