"""The command, as real processes: exit codes, what goes to stdout and to stderr, by the design's outward contract."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.models.store import Store
from sightline.settings import Settings

pytestmark = pytest.mark.models

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Members = dict[str, Any]

COMMON = {"model", "models", "timings_ms"}


def check_failure(done: subprocess.CompletedProcess[str], code: str, *words: str, exit_code: int = 1) -> None:
    """One clear line on stderr, with the stable code; nothing on stdout; no traceback."""
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("sightline: ")
    assert line.endswith(f"[{code}]"), line
    for word in words:
        assert word in line


def answers(done: subprocess.CompletedProcess[str]) -> list[Members]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_pictures_that_cannot_be_read(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    check_failure(command("predict", "faces", "no-such-file.jpg"), "invalid_image", "no-such-file.jpg")
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    check_failure(command("predict", "faces", text, "--json"), "unsupported_format", "JPEG")
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(portrait_jpeg.read_bytes()[:20_000])
    check_failure(command("predict", "background", torn), "invalid_image", "damaged")
    check_failure(command("predict", "faces", tmp_path), "invalid_image", str(tmp_path))


def test_a_declared_size_that_is_too_large(command: Command, declared_huge: bytes, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    huge.write_bytes(declared_huge)
    check_failure(command("predict", "faces", huge), "image_too_large", "64,000,000")


def test_no_face(command: Command, portrait_jpeg: Path, no_people_jpeg: Path) -> None:
    done = command("predict", "similarity", portrait_jpeg, no_people_jpeg, portrait_jpeg)
    check_failure(done, "no_face", "img1")


def test_usage(command: Command, portrait_jpeg: Path) -> None:
    """Exit code 2; where the words themselves are wrong, the usage is told."""
    assert command().returncode == 2
    for arguments in (
        ("predict",),
        ("predict", "faces"),
        ("predict", "faces", portrait_jpeg, "--nonsense"),
        ("nonsense",),
        ("models",),
        ("evaluate", "faces"),
        ("predict", "faces", portrait_jpeg, "--confidence", "much"),
        ("bench", "faces", "--repeat", "0"),
        ("serve", "--port", "70000"),
    ):
        done = command(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), arguments
        assert "Usage" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("predict", "emotoin", "x.jpg"), ("serve", "emotoin"), ("bench", "emotoin")])
def test_a_task_that_there_is_not(command: Command, arguments: tuple[str, ...]) -> None:
    check_failure(command(*arguments), "unknown_task", "emotoin", "did you mean emotion?", exit_code=2)


def test_options_that_do_not_fit(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    def refused(*arguments: str | Path) -> None:
        check_failure(command("predict", *arguments), "invalid_option", exit_code=2)

    refused("faces", portrait_jpeg, "--query", "sunset")
    refused("faces", portrait_jpeg, "--confidence", "1.5")
    refused("background", portrait_jpeg, "--color", "no-colour", "--out", tmp_path)
    refused("background", portrait_jpeg, "--blur", "--transparent")
    refused("background", portrait_jpeg, "--detector", "haar")
    refused("faces", portrait_jpeg, "--model", "selfie")
    refused("faces", portrait_jpeg, portrait_jpeg, "--out", tmp_path / "one.png")
    refused("faces", portrait_jpeg, "--out", tmp_path / "drawn.pdf")
    assert list(tmp_path.iterdir()) == []
    check_failure(command("predict", "similarity", portrait_jpeg), "missing_input", "ANCHOR", exit_code=2)
    check_failure(command("predict", "faces", portrait_jpeg, "--model", "nonsense"), "unknown_model", "nonsense")


def test_a_place_that_cannot_be_written(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    done = command("predict", "faces", portrait_jpeg, "--out", file / "drawn.png")
    check_failure(done, "unavailable", "cannot write", "drawn.png")


def test_models_that_are_missing(command: Command, portrait_jpeg: Path, offline: dict[str, str]) -> None:
    three = [portrait_jpeg] * 3
    check_failure(command("predict", "similarity", *three, "--model", "dlib-face", **offline), "offline", "dlib-face")
    selfie = ("--model", "selfie")
    check_failure(command("predict", "background", portrait_jpeg, *selfie, **offline), "offline", "selfie")
    check_failure(command("models", "pull", "selfie", **offline), "offline", "selfie")
    assert command("models", "pull", **offline).returncode == 2


def test_settings_that_cannot_be_read(command: Command, portrait_jpeg: Path) -> None:
    done = command("predict", "faces", portrait_jpeg, SIGHTLINE_THREADS="many")
    check_failure(done, "invalid_option", "SIGHTLINE_THREADS", exit_code=2)


def test_data_that_cannot_be_judged(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    def refused(*arguments: str | Path) -> None:
        done = command("evaluate", *arguments, "--json")
        check_failure(done, "invalid_option", exit_code=2)

    refused("background", "--data", tmp_path / "nowhere")
    refused("similarity", "--data", tmp_path)
    nonsense = tmp_path / "pairs.txt"
    nonsense.write_text("10 x\n")
    refused("similarity", "--data", tmp_path, "--protocol", nonsense)


def test_labels_that_cannot_be_read(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(portrait_jpeg.read_bytes())
    (tmp_path / "masks" / "a.png").write_text("not a picture")
    check_failure(command("evaluate", "background", "--data", tmp_path), "invalid_option", exit_code=2)


def test_stderr_has_nothing_else(portrait_jpeg: Path, no_people_jpeg: Path) -> None:
    """LiteRT writes a line of its own when it starts: the contract says one line in all."""
    arguments = ["predict", "similarity", portrait_jpeg, no_people_jpeg, portrait_jpeg]
    command = [sys.executable, "-m", "sightline.cli", *map(str, arguments)]
    check_failure(subprocess.run(command, capture_output=True, text=True, timeout=120), "no_face")


def test_the_port_is_taken(command: Command, server_url: str) -> None:
    port = server_url.rsplit(":", 1)[1]
    check_failure(command("serve", "faces", "--port", port), "unavailable", port)


# --- predict ----------------------------------------------------------------------------------------------------------


def test_one_object_a_picture(command: Command, portrait_jpeg: Path, no_people_jpeg: Path) -> None:
    done = command("predict", "faces", portrait_jpeg, no_people_jpeg, "--confidence", "0.5", "--json")
    first, second = answers(done)
    assert done.stderr == ""
    assert set(first) == {"faces", "image"} | COMMON
    assert (len(first["faces"]), len(second["faces"])) == (1, 0)
    assert set(first["faces"][0]) == {"box", "confidence", "landmarks"}
    assert set(first["timings_ms"]) == {"decode", "queue", "infer", "total"}
    assert re.fullmatch(r"[0-9a-f]{64}", first["model"]["sha256"])


def test_the_others_are_answered(command: Command, portrait_jpeg: Path) -> None:
    done = command("predict", "faces", "absent.jpg", portrait_jpeg, "--json")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert len(json.loads(line)["faces"]) == 1
    (said,) = done.stderr.splitlines()
    assert "absent.jpg" in said


def test_similarity(command: Command, three_faces: list[Path]) -> None:
    (members,) = answers(command("predict", "similarity", *three_faces, "--json"))
    assert set(members) >= {"more_similar", "similarity", "distance", "same_person", "threshold"} | COMMON
    assert members["same_person"] == {"img1": True, "img2": True}
    for_people = command("predict", "similarity", *three_faces, "--threshold", "0")
    assert for_people.returncode == 0
    assert "neither" in for_people.stdout


def test_another_model(command: Command, portrait_jpeg: Path, offline: dict[str, str]) -> None:
    """The Haar cascade is shipped: it answers without network and without cache."""
    done = command("predict", "faces", portrait_jpeg, "--detector", "haar", "--json", **offline)
    (members,) = answers(done)
    assert members["model"]["name"] == "haar-frontal"
    assert members["faces"]


def test_for_people(command: Command, portrait_jpeg: Path) -> None:
    done = command("predict", "faces", portrait_jpeg)
    assert done.returncode == 0
    assert "1 face " in done.stdout
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


def test_the_drawn_answer(command: Command, portrait_jpeg: Path, no_people_jpeg: Path, tmp_path: Path) -> None:
    one = tmp_path / "new" / "one.jpg"
    (members,) = answers(command("predict", "faces", portrait_jpeg, "--json", "--out", one))
    with Image.open(one) as image:
        assert (image.format, image.size) == ("JPEG", (512, 512))
        seen = np.asarray(image).astype(int)
    with Image.open(portrait_jpeg) as image:
        changed = np.abs(seen - np.asarray(image)).max(axis=2) > 60
    box = members["faces"][0]["box"]
    x, y = round(box["x"]), round(box["y"] + box["height"] / 2)
    assert changed[y - 20 : y + 20, x - 3 : x + 4].any()  # the box's left side
    folder = tmp_path / "folder"
    assert command("predict", "faces", portrait_jpeg, no_people_jpeg, "--out", folder).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["coffee.faces.png", "portrait.faces.png"]


def test_backgrounds(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    red = tmp_path / "red.png"
    Image.new("RGB", (40, 30), (255, 0, 0)).save(red)
    wanted = {
        "color": ("--color", "#0000ff"),
        "blur": ("--blur",),
        "transparent": ("--transparent",),
        "query": ("--query", "sunset"),
        "background": ("--background", red),
    }
    seen: dict[str, Image.Image] = {}
    for name, arguments in wanted.items():
        place = tmp_path / f"{name}.png"
        (members,) = answers(command("predict", "background", portrait_jpeg, *arguments, "--json", "--out", place))
        assert set(members) == {"mask", "coverage", "background", "image"} | COMMON
        with Image.open(place) as image:
            image.load()
        seen[name] = image
    assert seen["transparent"].mode == "RGBA"
    for name, colour in (("color", (0, 0, 255)), ("background", (255, 0, 0))):
        assert (np.asarray(seen[name]) == colour).all(axis=2).mean() > 0.1, name
    assert len({image.convert("RGB").tobytes() for image in seen.values()}) == len(wanted)


def test_a_picture_is_the_answer(command: Command, portrait_jpeg: Path, tmp_path: Path) -> None:
    """Without --json and --out the picture is saved where the command runs."""
    done = command("predict", "background", portrait_jpeg, "--blur", cwd=tmp_path)
    assert done.returncode == 0
    (saved,) = tmp_path.iterdir()
    assert saved.name in done.stderr
    with Image.open(saved) as image:
        assert image.size == (512, 512)


# --- models, doctor, evaluate, bench ----------------------------------------------------------------------------------


def test_models(command: Command, offline: dict[str, str], tmp_path: Path) -> None:
    (listed,) = answers(command("models", "list", "--json"))
    states = {model["name"]: model["state"] for model in listed["models"]}
    assert states["haar-frontal"] in ("shipped", "ready")
    assert states["blazeface-full"] == "ready"
    (shown,) = answers(command("models", "show", "selfie", "--json"))
    assert (shown["name"], shown["licence"]["spdx"], shown["state"]) == ("selfie", "Apache-2.0", "ready")
    assert set(shown) >= {"version", "sha256", "architecture", "tasks", "bytes", "training_data", "figures"}
    (verified,) = answers(command("models", "verify", "--json"))
    assert {row["name"] for row in verified["models"]} == {name for name, state in states.items() if state != "missing"}
    assert all(row["problems"] == [] for row in verified["models"])
    (bare,) = answers(command("models", "list", "--json", **offline))
    assert {model["state"] for model in bare["models"] if model["name"] == "selfie"} == {"missing"}
    check_failure(command("models", "show", "nonsense"), "unknown_model", "nonsense")
    for arguments in (("list",), ("show", "selfie"), ("verify", "selfie")):
        done = command("models", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "selfie" in done.stdout


def test_a_damaged_model_is_found(command: Command, offline: dict[str, str], tmp_path: Path) -> None:
    card = Store(Settings.from_env(), pull=False).card("selfie")
    for file in card.files:
        place = tmp_path / "models" / card.name / card.version / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"damaged")
    cache = {**offline, "SIGHTLINE_CACHE": str(tmp_path)}
    done = command("models", "verify", "selfie", "--json", **cache)
    assert done.returncode == 1
    assert json.loads(done.stdout)["models"][0]["problems"]
    done = command("predict", "background", tmp_path / "any.jpg", **cache)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_doctor(command: Command, offline: dict[str, str]) -> None:
    (report,) = answers(command("doctor", "--json", **offline))
    assert report["offline"] is True
    assert report["tasks"]["faces"] == {"ready": True, "reason": None}
    assert report["tasks"]["similarity"] == {"ready": True, "reason": None}  # the shipped network stands in
    assert set(report) >= {"sightline", "python", "machine", "libraries", "cache"}
    done = command("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "onnxruntime" in done.stdout


def test_evaluate(command: Command, portrait: np.ndarray, tmp_path: Path) -> None:
    """The keys of the contract, on folders of a few pictures."""
    flat = np.ascontiguousarray(portrait[::2, ::2])
    for folder in ("images", "masks", "pairs"):
        (tmp_path / folder).mkdir()
    Image.fromarray(flat).save(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.png").write_text("not a picture")
    mask = np.zeros(flat.shape[:2], np.uint8)
    mask[40:, 40:200] = 255
    for name in ("a", "b"):
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    (figures,) = answers(command("evaluate", "background", "--data", tmp_path, "--json"))
    assert set(figures) >= {"dice", "iou", "n", "skipped", "model", "seconds"}
    assert 0 < figures["iou"] < figures["dice"] < 1
    assert (figures["n"], figures["skipped"]["count"]) == (1, 1)
    assert figures["skipped"]["why"] == {"b.png": "unsupported_format"}
    assert set(figures["model"]) == {"name", "version", "sha256"}
    pairs = ["2 1"]
    for fold in range(2):
        person = f"P{fold}"
        for number in (1, 2):
            pixels = portrait if number == 1 else portrait[:, ::-1]
            Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "pairs" / f"{person}_000{number}.png")
        pairs += [f"{person} 1 2", f"{person} 1 P{1 - fold} 2"]
    protocol = tmp_path / "pairs.txt"
    protocol.write_text("\n".join(pairs) + "\n")
    done = command("evaluate", "similarity", "--data", tmp_path / "pairs", "--protocol", protocol, "--json")
    (figures,) = answers(done)
    wanted = {"accuracy", "accuracy_std", "auc", "tar_at_far_1e-2", "tar_at_far_1e-3", "threshold"}
    assert set(figures) >= wanted | {"n", "skipped", "model", "seconds"}
    assert figures["n"] == 4


def test_bench(command: Command) -> None:
    (rows,) = answers(command("bench", "faces", "--repeat", "1", "--json"))
    assert [row["pixels"] for row in rows] == [640, 1280, 4000]
    for row in rows:
        assert set(row) >= {"task", "model", "median_ms", "first_answer_s", "peak_mb_at_first"}
        assert row["task"] == "faces"


def test_version_and_help(command: Command) -> None:
    assert re.fullmatch(r"sightline \d+\.\d+\.\d+\n", command("--version").stdout)
    done = command("--help")
    assert done.returncode == 0
    for name in ("predict", "serve", "models", "evaluate", "bench", "doctor"):
        assert name in done.stdout
