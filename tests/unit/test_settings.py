"""Settings come from the environment, typed, or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import InvalidOption
from sightline.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.cache.name == "sightline"
    assert settings.providers == ("CPUExecutionProvider",)
    assert (settings.offline, settings.online, settings.api_key) == (False, True, None)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("cache", "/models", Path("/models")),
        ("cache", "~/models", Path.home() / "models"),
        ("models", "own", Path("own")),
        ("gallery", "/pictures", Path("/pictures")),
        ("offline", "1", True),
        ("offline", "TRUE", True),
        ("offline", " yes ", True),
        ("offline", "0", False),
        ("offline", "", False),
        ("online", "off", False),
        ("threads", "3", 3),
        ("max_bytes", "1000", 1000),
        ("max_pixels", "178000000", 178_000_000),
        ("fetch_timeout", "2.5", 2.5),
        ("grace_seconds", "3", 3.0),
        ("graph_level", "basic", "basic"),
        ("providers", "A, B,", ("A", "B")),
        ("api_key", "secret", "secret"),
        ("api_key", "", None),
    ],
)
def test_a_variable_sets_its_field(name: str, text: str, wanted: Any) -> None:
    settings = Settings.from_env({f"SIGHTLINE_{name.upper()}": text, "OTHER": "x", name.upper(): "y"})
    assert getattr(settings, name) == wanted
    assert type(getattr(settings, name)) is type(wanted)
    assert dataclasses.replace(settings, **{name: getattr(Settings(), name)}) == Settings(), "and no other"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("offline", "maybe"),
        ("threads", "many"),
        ("threads", "1.5"),
        ("threads", "-1"),
        ("max_queue", "-1"),
        ("max_concurrency", "-2"),
        ("max_pixels", "0"),
        ("max_pixels", "178000001"),
        ("max_bytes", "20MB"),
        ("fetch_timeout", "soon"),
        ("graph_level", "best"),
        ("log_format", "xml"),
        ("otel_endpoint", "collector:4318"),
    ],
)
def test_an_unreadable_variable_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidOption, match=f"(?i){name}"):
        Settings.from_env({f"SIGHTLINE_{name.upper()}": text})


def test_the_real_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_THREADS", "7")
    assert Settings.from_env().threads == 7


def test_settings_do_not_change_and_do_not_tell_the_key() -> None:
    settings = Settings(api_key="very-secret")
    assert "very-secret" not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.threads = 2  # type: ignore[misc]
