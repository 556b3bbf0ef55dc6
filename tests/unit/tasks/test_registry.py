"""Tasks are found by name and put together from cards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sightline
from sightline.architectures.registry import ARCHITECTURES, build
from sightline.errors import InvalidCard, InvalidOption, ModelMissing, Offline, UnknownModel, UnknownTask
from sightline.models.store import ZOO, Store
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task
from tests.fakes.cards import card


@pytest.fixture
def bare(quiet: Settings) -> Store:
    """The shipped cards on a machine that pulled nothing."""
    return Store(quiet, pull=False)


def test_a_task_nobody_knows_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownTask, match="did you mean faces"):
        sightline.load("face")
    with pytest.raises(UnknownTask, match="did you mean similarity"):
        registry.recipe("similarty")
    with pytest.raises(UnknownTask, match="there are faces, similarity"):
        registry.recipe("weather")


def test_a_model_nobody_knows(quiet: Settings, bare: Store) -> None:
    with pytest.raises(UnknownModel, match="blazeface"):
        sightline.load("faces", detector="blazeface-ful", settings=quiet, store=bare)
    with pytest.raises(UnknownModel):
        sightline.load("background", model="nothing-like-it", settings=quiet, store=bare)


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        ("faces", {"model": "selfie"}),
        ("faces", {"detector": "dlib-face"}),
        ("background", {"model": "blazeface"}),
        ("similarity", {"model": "selfie"}),
        ("similarity", {"detector": "selfie"}),
    ],
)
def test_a_model_of_another_task(quiet: Settings, bare: Store, task: str, arguments: dict[str, str]) -> None:
    with pytest.raises(InvalidOption, match=f"does not serve {task}"):
        sightline.load(task, settings=quiet, store=bare, **arguments)


@pytest.mark.parametrize(
    "arguments", [{"model": "blazeface"}, {"model": "facemesh"}, {"detector": "dlib-face"}, {"detector": "facemesh"}]
)
def test_a_model_of_the_task_in_the_wrong_part(quiet: Settings, bare: Store, arguments: dict[str, str]) -> None:
    with pytest.raises(InvalidOption, match=r"cannot be the (embedder|detector) of similarity"):
        sightline.load("similarity", settings=quiet, store=bare, **arguments)


def test_a_task_without_a_detector(quiet: Settings, bare: Store) -> None:
    with pytest.raises(InvalidOption, match="no detector"):
        sightline.load("background", detector="haar", settings=quiet, store=bare)


def test_weights_that_are_not_here(quiet: Settings, bare: Store) -> None:
    with pytest.raises(ModelMissing, match="selfie"):
        sightline.load("background", model="selfie", settings=quiet, store=bare)
    with pytest.raises(Offline, match="SIGHTLINE_OFFLINE"):
        sightline.load("background", model="selfie", settings=quiet)
    with pytest.raises(ModelMissing, match="blazeface-full"):
        sightline.load("faces", detector="blazeface", settings=quiet, store=bare)


def test_faces_are_found_without_a_download(quiet: Settings, bare: Store) -> None:
    task = sightline.load("faces", settings=quiet, store=bare)
    assert [identity.name for identity in task.identities] == ["haar-frontal"]
    assert registry.missing("faces", bare) is None
    named = sightline.load("faces", model="haar-frontal", settings=quiet, store=bare)
    assert named.identities == task.identities == sightline.load("faces", detector="haar", settings=quiet).identities


def test_the_user_s_own_card_comes_first(quiet: Settings, tmp_path: Path) -> None:
    own = tmp_path / "models" / "haar-frontal"
    shutil.copytree(ZOO / "haar-frontal", own)
    text = (own / "card.toml").read_text("utf-8").replace('version = "1"', 'version = "mine"')
    (own / "card.toml").write_text(text, "utf-8")
    settings = Settings(cache=tmp_path, models=tmp_path / "models", offline=True)
    assert sightline.load("faces", detector="haar", settings=settings).identities[0].version == "mine"


@pytest.mark.parametrize("name", sorted(registry.TASKS))
def test_every_recipe_names_a_task_that_introduces_itself(name: str) -> None:
    recipe = registry.recipe(name)
    task = recipe.task()
    assert issubclass(task, Task)
    assert task.name == name
    assert task.summary.endswith((".", "?"))
    assert issubclass(task.Answer, Answer)
    assert task.Answer.schema["additionalProperties"] is False
    assert all(alternatives and alternatives[0] for alternatives in recipe.parts.values())
    for part, alternatives in recipe.parts.items():
        assert registry._METHODS[part]
        for own in (own for names in alternatives for own in names if (ZOO / own).is_dir()):
            registry._check(name, part, Store(Settings(offline=True)).card(own))


def test_an_architecture_nobody_knows(quiet: Settings) -> None:
    with pytest.raises(InvalidCard, match="did you mean blazeface"):
        build(card(architecture="blazefac"), Store(quiet), quiet)
    with pytest.raises(InvalidCard, match="there are"):
        build(card(architecture="transformer-9000"), Store(quiet), quiet)
    assert "blazeface" in ARCHITECTURES
