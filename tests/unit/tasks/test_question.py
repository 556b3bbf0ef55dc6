"""Options from people, forms and programs become typed values, or one clear error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InvalidOption
from sightline.images.picture import Picture
from sightline.tasks.question import asks, question_fields
from sightline.tasks.registry import TASKS


@dataclass(frozen=True, slots=True)
class Everything:
    image: Picture = asks("The photo.")
    other: Picture | None = asks("Another.", default=None)
    name: str | None = asks("A name.", default=None)
    count: int = asks("How many.", default=1, minimum=0, maximum=10)
    share: float = asks("How much.", default=0.5, minimum=0.0, maximum=1.0, example=0.25)
    any_number: float | None = asks("Any number.", default=None)
    loud: bool = asks("Whether.", default=False)
    kind: str = asks("Which.", default="a", choices=("a", "b"))


FIELDS = question_fields(Everything)


def parsed(name: str, value: Any) -> Any:
    return FIELDS.parse({name: value})[name]


def test_pictures_and_options_are_told_apart() -> None:
    assert [(field.name, field.required) for field in FIELDS.pictures] == [("image", True), ("other", False)]
    assert [(option.name, option.kind, option.json_type) for option in FIELDS.options] == [
        ("name", str, "string"),
        ("count", int, "integer"),
        ("share", float, "number"),
        ("any_number", float, "number"),
        ("loud", bool, "boolean"),
        ("kind", str, "string"),
    ]
    share = FIELDS.options[2]
    assert (share.help, share.default, share.minimum, share.maximum, share.example) == ("How much.", 0.5, 0, 1, 0.25)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("name", "Ada", "Ada"),
        ("name", "", ""),
        ("name", "1", "1"),
        ("count", 3, 3),
        ("count", "3", 3),
        ("count", " 3 ", 3),
        ("count", 3.0, 3),
        ("count", 0, 0),
        ("count", 10, 10),
        ("share", 1, 1.0),
        ("share", "0.25", 0.25),
        ("share", 0, 0.0),
        ("any_number", "-1e9", -1e9),
        ("loud", True, True),
        ("loud", "true", True),
        ("loud", " Yes ", True),
        ("loud", "1", True),
        ("loud", "on", True),
        ("loud", "FALSE", False),
        ("loud", "no", False),
        ("loud", "0", False),
        ("kind", "b", "b"),
    ],
)
def test_text_and_typed_values_are_the_same(name: str, value: Any, wanted: Any) -> None:
    got = parsed(name, value)
    assert got == wanted
    assert type(got) is type(wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 3),
        ("name", b"Ada"),
        ("name", ["Ada"]),
        ("name", "x" * 1001),
        ("count", "three"),
        ("count", ""),
        ("count", "3.5"),
        ("count", 3.5),
        ("count", math.nan),
        ("count", math.inf),
        ("count", True),
        ("count", -1),
        ("count", 11),
        ("share", math.nan),
        ("share", "nan"),
        ("share", math.inf),
        ("share", "-inf"),
        ("share", 1.0001),
        ("share", -1e-9),
        ("share", False),
        ("share", "half"),
        ("share", {}),
        ("any_number", math.nan),
        ("loud", 1),
        ("loud", 0.0),
        ("loud", ""),
        ("loud", "maybe"),
        ("kind", "c"),
        ("kind", "A"),
        ("kind", ""),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption, match=f"^{name} ") as caught:
        parsed(name, value)
    assert len(str(caught.value)) < 300, "a message, not an echo of everything that was sent"


def test_long_nonsense_is_not_echoed() -> None:
    for name in ("count", "share", "loud", "kind"):
        for nonsense in (
            "x" * 1_000_000,
            "9" * 5000,
            10**400,
            10**5000,
        ):
            with pytest.raises(InvalidOption) as caught:
                parsed(name, nonsense)
            assert len(str(caught.value)) < 300


def test_unknown_options_are_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidOption, match=r"'conut'.*count, share"):
        FIELDS.parse({"conut": 1})
    with pytest.raises(InvalidOption, match="image"):
        FIELDS.parse({"image": "photo.jpg"})
    with pytest.raises(InvalidOption, match="none"):
        question_fields(TASKS["lungs"].task().Question).parse({"anything": 1})


def test_none_is_not_given() -> None:
    assert FIELDS.parse({"count": None, "loud": "yes"}) == {"loud": True}
    assert FIELDS.parse({}) == {}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**4000, 10**4400)
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(["nan", "inf", "-0", "1e400", "0x10", "1_0", "٣", " ", "\0", "on"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from([option.name for option in FIELDS.options]), value=anything)
def test_parsing_gives_a_value_of_the_type_within_bounds_or_invalid_option(name: str, value: Any) -> None:
    option = next(option for option in FIELDS.options if option.name == name)
    try:
        got = FIELDS.parse({name: value})
    except InvalidOption as error:
        refusal = str(error)
        got = None
    if got is None:
        assert len(refusal) < 300
        return
    if value is None:
        assert got == {}
        return
    assert type(got[name]) is option.kind
    assert got[name] == got[name]
    if option.minimum is not None:
        assert option.minimum <= got[name] <= option.maximum


@given(st.sampled_from(sorted(TASKS)), st.dictionaries(st.text(max_size=12), anything, max_size=3), st.data())
def test_no_options_of_any_task_raise_anything_else(task: str, junk: dict[str, Any], data: st.DataObject) -> None:
    fields = question_fields(TASKS[task].task().Question)
    names = [option.name for option in fields.options]
    if names:
        junk = {**junk, data.draw(st.sampled_from(names)): data.draw(anything)}
    try:
        values = fields.parse(junk)
    except InvalidOption:
        return
    assert set(values) <= set(names)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_option_explains_itself_and_its_default_fits(task: str) -> None:
    fields = question_fields(TASKS[task].task().Question)
    assert fields.pictures[0].required
    for described in (*fields.pictures, *fields.options):
        assert described.help.endswith(".")
    for option in fields.options:
        for value in (option.default, option.example):
            if value is not None:
                assert option.parse(value) == value
