"""`sightline collections`: what it prints, what it changes, how it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sightline import cli
from sightline.collections.base import Calibration, EmbeddingModel
from sightline.collections.open import DatabaseStore, open_store
from tests.unit.collections.people import CALIBRATION, MODEL, new_face, new_faces, vectors

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sightline(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command on the store: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("SIGHTLINE_COLLECTIONS", url)
        monkeypatch.setattr(sys, "argv", ["sightline", "collections", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def people(store: DatabaseStore, count: int, spread: float) -> list[list[str]]:
    """Four faces each of so many people, near each other by `spread`: their ids."""
    chance = np.random.default_rng(3)
    ids = []
    for centre in vectors(count, 8):
        found = (centre + chance.normal(0, spread, (4, MODEL.dimension))).astype(np.float32)
        ids.append([face.face_id for face in store.faces.add("staff", MODEL, new_faces(found))])
    return ids


def test_list_names_every_collection(staff: DatabaseStore, sightline: Command) -> None:
    staff.collections.create("visitors", MODEL, CALIBRATION, tags={"a": "b"}, keep_pictures=True)
    staff.faces.add("staff", MODEL, new_faces(vectors(3)))
    code, out, _ = sightline("list")
    assert code == 0
    assert [line.split()[:4] for line in out.splitlines()[1:]] == [
        ["staff", "3", "0", "fake-embedder"],
        ["visitors", "0", "0", "fake-embedder"],
    ]
    code, out, _ = sightline("list", "--json")
    first, second = json.loads(out)["collections"]
    assert (first["collection_id"], first["faces"], first["model"]["dimension"]) == ("staff", 3, 16)
    assert (second["tags"], second["keep_pictures"], second["calibration"]["middle"]) == ({"a": "b"}, True, 0.6)


def test_calibrate_from_users_sets_what_80_means(staff: DatabaseStore, sightline: Command) -> None:
    for index, ids in enumerate(people(staff, 15, 0.05)):
        staff.users.create("staff", f"u{index}")
        staff.users.associate("staff", f"u{index}", ids)
    code, out, _ = sightline("calibrate", "staff", "--users", "--false-match-rate", "0.01", "--dry-run", "--json")
    measured = json.loads(out)
    assert (code, measured["saved"]) == (0, False)
    assert (measured["same"], measured["different"]) == (15 * 6, 15 * 14 // 2 * 16)
    assert staff.collections.get("staff").calibration == CALIBRATION
    code, out, _ = sightline("calibrate", "staff", "--users", "--false-match-rate", "0.01")
    assert code == 0
    assert f"similarity 80 is a distance of {measured['threshold']:.4f}" in out
    saved = staff.collections.get("staff").calibration
    assert saved == Calibration(**{**measured["calibration"], "interval": tuple(measured["calibration"]["interval"])})
    assert saved.false_match_rate == 0.01
    assert saved.source == "1770 pairs of 60 faces of its users"
    accepted = 0
    ids = [face.face_id for face in staff.faces.list("staff", 999).items]
    for face_id in ids:
        matches = staff.faces.search(
            "staff", staff.faces.embedding("staff", face_id), 999, within=saved.distance(80), besides=face_id
        )
        own = staff.faces.get("staff", face_id).user_id
        accepted += sum(match.face.user_id != own for match in matches)
    assert accepted / 2 / measured["different"] == pytest.approx(measured["false_match_rate"])


def test_calibrate_from_a_file_of_pairs(staff: DatabaseStore, sightline: Command, tmp_path: Path) -> None:
    ids = people(staff, 30, 0.05)
    lines = ["first,second,label"]
    lines += [f"{person[0]},{person[1]},same" for person in ids]
    lines += [f"{ids[i][0]}, {ids[j][0]} ,0" for i in range(30) for j in range(i)]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("\n".join(lines) + "\n\n", "utf-8")
    code, out, _ = sightline("calibrate", "staff", "--pairs", str(pairs), "--false-match-rate", "0.01", "--json")
    measured = json.loads(out)
    assert (code, measured["same"], measured["different"]) == (0, 30, 435)
    assert staff.collections.get("staff").calibration.source == "465 pairs of pairs.csv"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["calibrate", "staff"], 2, "--pairs"),
        (["calibrate", "staff", "--users", "--pairs", "x.csv"], 2, "--pairs"),
        (["calibrate", "nobody", "--users"], 1, "collection_missing"),
        (["calibrate", "staff", "--users"], 2, "at least 1000 pairs"),
        (["calibrate", "staff", "--users", "--false-match-rate", "2"], 2, "between 0 and 1"),
        (["calibrate", "staff", "--pairs", "absent.csv"], 2, "absent.csv"),
        (["calibrate", "staff", "--pairs", "bad.csv"], 2, "line 2"),
        (["calibrate", "staff", "--pairs", "ids.csv"], 1, "face_missing"),
        (["migrate", "nobody"], 1, "collection_missing"),
        (["migrate", "staff", "--model", "no-such-model"], 1, "no-such-model"),
        (["migrate", "staff", "--model", "selfie"], 2, "selfie"),
        (["list", "--store", "mysql://x"], 2, "sqlite:PATH"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    staff: DatabaseStore,
    sightline: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("a,b,1\na,b,maybe\n", "utf-8")
    nobody = "00000000-0000-4000-8000-00000000000"
    (tmp_path / "ids.csv").write_text(f"{nobody}1,{nobody}2,1\n", "utf-8")
    ended, out, err = sightline(*arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert said in err
    assert staff.collections.get("staff").calibration == CALIBRATION


@pytest.mark.models
def test_migrate_embeds_kept_pictures_with_a_real_model(
    store: DatabaseStore, sightline: Command, portrait_jpeg: Path, no_people_jpeg: Path, tmp_path: Path
) -> None:
    store.collections.create("kept", MODEL, CALIBRATION, keep_pictures=True)
    store.faces.add("kept", MODEL, [new_face(vectors(1)[0], picture=portrait_jpeg.read_bytes())])
    code, out, err = sightline("migrate", "kept")
    assert (code, out.startswith("kept: 1 faces embedded by dlib-face")) == (0, True), err
    collection = store.collections.get("kept")
    assert (collection.model.name, collection.model.dimension) == ("dlib-face", 128)
    assert "dlib-face" in collection.calibration.source
    (face,) = store.faces.list("kept", 9).items
    length = float(np.linalg.norm(store.faces.embedding("kept", face.face_id).vector))
    assert 1 < length < 2

    pairs = tmp_path / "pairs.csv"
    lines = [f"{face.face_id},{portrait_jpeg},1"] * 2 + [f"{face.face_id},{no_people_jpeg},0"]
    pairs.write_text("\n".join(lines), "utf-8")
    code, _, err = sightline("calibrate", "kept", "--pairs", str(pairs), "--false-match-rate", "0.5")
    assert (code, "no face" in err) == (2, True)
    pairs.write_text("\n".join(lines[:2]), "utf-8")
    code, _, err = sightline("calibrate", "kept", "--pairs", str(pairs), "--false-match-rate", "0.5")
    assert (code, "there are 0 and 2" in err) == (2, True)

    coffee = new_face(vectors(1, 1, 128)[0], picture=no_people_jpeg.read_bytes())
    store.faces.add("kept", collection.model, [coffee])
    code, _, err = sightline("migrate", "kept")
    assert (code, "cannot be embedded again" in err) == (2, True)


def test_pairs_of_pictures_take_the_collections_own_model(
    store: DatabaseStore, sightline: Command, portrait_jpeg: Path, tmp_path: Path
) -> None:
    other = EmbeddingModel("no-such-model", "1", "a" * 64, 4)
    store.collections.create("staff", other, CALIBRATION)
    (tmp_path / "pairs.csv").write_text(f"{portrait_jpeg},{portrait_jpeg},1\n", "utf-8")
    code, _, err = sightline("calibrate", "staff", "--pairs", str(tmp_path / "pairs.csv"))
    assert (code, "unknown_model" in err) == (1, True)


def test_the_store_option_wins(sightline: Command, tmp_path: Path) -> None:
    open_store(f"sqlite:{tmp_path / 'other.db'}").collections.create("elsewhere", MODEL, CALIBRATION)
    code, out, _ = sightline("list", "--store", f"sqlite:{tmp_path / 'other.db'}", "--json")
    assert (code, [item["collection_id"] for item in json.loads(out)["collections"]]) == (0, ["elsewhere"])
