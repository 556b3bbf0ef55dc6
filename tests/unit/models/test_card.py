"""A card is read strictly: what is misspelt, missing or of the wrong kind is said by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.architectures.registry import ARCHITECTURES, architecture
from sightline.errors import InvalidCard
from sightline.models.card import Card, Identity
from sightline.models.store import ZOO
from sightline.tasks.registry import TASKS
from tests.fakes.cards import TABLE

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(path.name for path in ZOO.iterdir() if (path / "card.toml").is_file())

FULL: dict[str, Any] = {
    **TABLE,
    "labels": ["a", "b"],
    "thresholds": {"score": 0.5, "whole": 1},
    "options": {"strides": [4], "nested": {"x": True}},
    "convert": {"importer": "faceapi", "output": "model.onnx"},
    "figures": [{"dataset": "set", "metric": "recall", "value": 1, "n": 3, "command": "sightline evaluate"}],
}


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """FULL with the member at `path` replaced, or removed where the value is `...`."""
    table = copy.deepcopy(FULL)
    inner: Any = table
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return table


def test_a_whole_card() -> None:
    card = Card.parse(FULL, Path("somewhere"))
    assert card.identity == Identity("fake", "1.0", "0" * 64)
    assert card.identity.to_dict() == {"name": "fake", "version": "1.0", "sha256": "0" * 64}
    assert card.tasks == ("faces", "emotion", "similarity", "background", "lungs")
    assert card.labels == ("a", "b")
    assert card.directory == Path("somewhere")
    assert card.shipped
    assert card.size == 1
    assert (card.input.layout, card.input.colour, card.input.mean) == ("NHWC", "RGB", (0.0, 0.0, 0.0))
    assert card.convert is not None
    assert card.convert.output == "model.onnx"
    assert card.figures[0].value == 1.0
    assert isinstance(card.figures[0].value, float)
    assert card.threshold("whole") == 1.0
    with pytest.raises(InvalidCard, match="no threshold 'iou'"):
        card.threshold("iou")
    said = card.to_dict()
    assert (said["bytes"], said["licence"]["spdx"], said["figures"][0]["metric"]) == (1, "MIT", "recall")


def test_a_file_with_a_source_is_not_shipped() -> None:
    table = changed(("files", 0, "source"), "pypi:mediapipe==0.10.21/x.tflite")
    assert not Card.parse(table).shipped


@pytest.mark.parametrize(
    "path",
    [
        ("architectur",),
        ("licence", "licence"),
        ("input", "color"),
        ("files", 0, "sha265"),
        ("convert", "to"),
        ("figures", 0, "unit"),
    ],
)
def test_a_misspelt_member_is_named(path: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidCard, match=f"unknown member '{path[-1]}'"):
        Card.parse(changed(path, "x"))


@pytest.mark.parametrize(
    "path",
    [(name,) for name in TABLE]
    + [("licence", "spdx"), ("licence", "holder"), ("input", "width"), ("input", "height")]
    + [("files", 0, "path"), ("files", 0, "sha256"), ("files", 0, "size"), ("convert", "output")]
    + [("figures", 0, name) for name in ("dataset", "metric", "value", "n", "command")],
)
def test_a_missing_member_is_named(path: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidCard, match=f"no member '{path[-1]}'"):
        Card.parse(changed(path, ...))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), 3),
        (("version",), 1.0),
        (("tasks",), "faces"),
        (("tasks",), [1]),
        (("labels",), {"a": 1}),
        (("files",), {}),
        (("files", 0), "model.bin"),
        (("files", 0, "size"), "1"),
        (("files", 0, "size"), 1.5),
        (("files", 0, "size"), True),
        (("files", 0, "source"), 7),
        (("licence",), "MIT"),
        (("licence", "research_only"), "no"),
        (("licence", "research_only"), 1),
        (("input", "width"), "128"),
        (("input", "width"), 128.0),
        (("input", "mean"), 127.5),
        (("input", "mean"), ["127"]),
        (("input", "scale"), [True, True, True]),
        (("thresholds",), [0.5]),
        (("options",), "none"),
        (("convert",), "faceapi"),
        (("figures", 0, "value"), "0.9"),
        (("figures", 0, "n"), 2.5),
    ],
)
def test_a_member_of_the_wrong_kind_is_named(path: tuple[Any, ...], value: Any) -> None:
    where = next(str(part) for part in reversed(path) if isinstance(part, str))
    with pytest.raises(InvalidCard, match=where):
        Card.parse(changed(path, value))


@pytest.mark.parametrize("name", ["", "Faces", "../x", "a/b", "a b", "-a", ".a", "x" * 65, "ü"])
def test_a_name_that_is_no_plain_name(name: str) -> None:
    with pytest.raises(InvalidCard, match="name"):
        Card.parse(changed(("name",), name))


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_a_hash_that_is_none(sha256: str) -> None:
    with pytest.raises(InvalidCard, match="sha256"):
        Card.parse(changed(("files", 0, "sha256"), sha256))


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a/", "./a"])
def test_a_file_that_would_leave_its_folder(path: str) -> None:
    with pytest.raises(InvalidCard, match="file path"):
        Card.parse(changed(("files", 0, "path"), path))


def test_no_file_and_no_licence_are_refused() -> None:
    with pytest.raises(InvalidCard, match="at least one file"):
        Card.parse(changed(("files",), []))
    with pytest.raises(InvalidCard, match="licence"):
        Card.parse(changed(("licence", "spdx"), ""))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(FULL)), json_like)
def test_no_table_gives_another_error(member: str, value: Any) -> None:
    try:
        card = Card.parse({**FULL, member: value})
    except InvalidCard:
        return
    assert card.name


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    for data in (None, b"name = ", b"\xff\xfe", b"name = 'a'\n"):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(InvalidCard, match=r"card\.toml"):
            Card.load(path)


# The shipped ones


def test_there_are_shipped_cards() -> None:
    assert {"blazeface-full", "dlib-face", "selfie", "haar-frontal"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_is_whole(name: str) -> None:
    card = Card.load(ZOO / name / "card.toml")
    assert card.name == name
    assert card.architecture in ARCHITECTURES
    assert isinstance(architecture(card), type)
    assert card.engine in ("onnx", "litert", "cascade", "hog")
    assert set(card.tasks) <= {*TASKS, "face-details", "embedding"}
    assert card.tasks
    assert card.summary.endswith(".")
    assert card.training_data.endswith(".")
    assert card.licence.spdx
    assert card.licence.holder
    assert card.input.layout in ("NHWC", "NCHW", "HW")
    assert card.input.colour in ("RGB", "BGR", "L", "GREY")
    if card.input.colour in ("RGB", "BGR"):
        assert len(card.input.mean) == len(card.input.scale) == 3
    for threshold in card.thresholds:
        assert card.threshold(threshold) >= 0
    for file in card.files:
        assert file.size > 0
        # The addresses of registries belong to the user's own settings; a release page is none.
        assert not (file.source or "").startswith("http://")
        assert not (file.source or "").startswith("https://") or "/releases/download/" in str(file.source)
        if file.source is None:
            assert (ZOO / name / file.path).stat().st_size == file.size
    for figure in card.figures:
        program, script, *_ = figure.command.split()
        assert program == "sightline" or (program == "python" and (ROOT / script).is_file())
        assert figure.n > 0
