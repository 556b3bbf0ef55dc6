"""What tuning finds, and serving follows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from sightline.errors import InvalidOption
from sightline.serving import profile, tune
from sightline.serving.profile import Way
from sightline.settings import Settings

WAY = Way("processes", 3, 2, 4, 16, 1.5)


def test_what_is_written_is_read_and_followed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "profile.toml"
    profile.write(path, WAY, "emotion")
    assert profile.read(path) == WAY
    followed = profile.follow(Settings(profile=path), {})
    assert {name: getattr(followed, name) for name in asdict(WAY)} == asdict(WAY)


def test_a_variable_counts_more(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    profile.write(path, WAY, "emotion")
    environ = {"SIGHTLINE_EXECUTOR": "threads", "SIGHTLINE_PROFILE": str(path)}
    followed = profile.follow(Settings.from_env(environ), environ)
    assert followed.executor == "threads"
    assert followed.max_concurrency == 3


def test_no_profile_and_one_of_another_machine_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    settings = Settings(profile=path)
    assert profile.follow(settings, {}) is settings
    profile.write(path, WAY, "emotion")
    path.write_text(path.read_text().replace(profile.machine(), "another"))
    assert profile.follow(settings, {}) is settings


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threads = 2", "threads = true"),
        ("threads = 2", 'threads = "2"'),
        ("threads = 2", ""),
        ("batch_wait_ms = 1.5", "batch_wait_ms = []"),
        ("executor", "="),
        ('"processes"', '"clouds"'),
        ("batch_size = 16", "batch_size = 0"),
    ],
)
def test_a_torn_profile_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "profile.toml"
    profile.write(path, WAY, "emotion")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InvalidOption):
        profile.follow(Settings(profile=path), {})


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_every_way_can_be_served(cores: int) -> None:
    ways = list(tune.ways(cores))
    assert len(set(ways)) == len(ways)
    for way in ways:
        assert asdict(way).items() <= {name: getattr(way.on(Settings()), name) for name in asdict(way)}.items()
        assert way.max_concurrency >= 1


@pytest.mark.models
def test_tuning_tries_and_orders(monkeypatch: pytest.MonkeyPatch, portrait_jpeg: Path) -> None:
    few = [Way("threads", 1, 1, 1, 1, 0.0), Way("threads", 2, 1, 1, 4, 0.0)]
    monkeypatch.setattr(tune, "ways", lambda: iter(few))
    said: list[tune.Tried] = []
    found = tune.tune("emotion", portrait_jpeg, Settings(max_queue=1000), 0.2, said.append)
    assert [tried.way for tried in said] == few
    assert {tried.way for tried in found} == set(few)
    assert all(0 < tried.p50_ms <= tried.p99_ms and tried.per_second > 0 for tried in found)
