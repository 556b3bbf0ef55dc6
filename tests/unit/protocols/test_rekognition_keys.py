"""The file of keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.errors import InvalidOption
from sightline.protocols.rekognition.keys import load_keys
from sightline.settings import Settings

ONE = "[[keys]]\naccess_key_id = 'one'\nsecret_access_key = 'secret'\n"


def write(folder: Path, text: str) -> Settings:
    path = folder / "keys.toml"
    path.write_text(text)
    return Settings(cache=folder, aws_keys_file=path)


def test_a_key_may_do_everything_unless_it_says_less(tmp_path: Path) -> None:
    key = load_keys(write(tmp_path, ONE))["one"]
    assert (key.read_only, key.may_see("anything")) == (False, True)
    assert "secret" not in repr(key).replace("secret_access_key", "")


def test_patterns(tmp_path: Path) -> None:
    key = load_keys(write(tmp_path, ONE + "collections = ['door-*', 'vault-[12]', 'Exact']"))["one"]
    seen = ["door-", "door-front", "vault-1", "Exact"]
    unseen = ["doors", "my-door-1", "vault-3", "exact", "Exact2"]
    assert [name for name in seen + unseen if key.may_see(name)] == seen


def test_no_pattern_is_no_collection(tmp_path: Path) -> None:
    assert not load_keys(write(tmp_path, ONE + "collections = []"))["one"].may_see("a")


def test_the_key_of_the_settings_stands_beside_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(ONE)
    both = Settings(cache=tmp_path, aws_keys_file=path, aws_access_key_id="two", aws_secret_access_key="s")
    assert set(load_keys(both)) == {"one", "two"}
    same = Settings(cache=tmp_path, aws_keys_file=path, aws_access_key_id="one", aws_secret_access_key="s")
    with pytest.raises(InvalidOption, match="twice"):
        load_keys(same)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keys = 1",
        "keys = []",
        "keys = [1]",
        "[keys]",
        ONE + ONE,
        ONE + "read_onl = true",
        ONE + "read_only = 'yes'",
        ONE + "collections = 'a'",
        ONE + "collections = [1]",
        ONE + "[more]",
        "[[keys]]\naccess_key_id = 'one'",
        "[[keys]]\naccess_key_id = ''\nsecret_access_key = 's'",
        "[[keys]]\naccess_key_id = 1\nsecret_access_key = 's'",
        "[[keys]]\naccess_key_id = 'a/b'\nsecret_access_key = 's'",
        "[[keys]]\naccess_key_id = 'a b'\nsecret_access_key = 's'",
        "[[keys]]\naccess_key_id = 'one'\nsecret_access_key = ''",
        "\x00",
    ],
)
def test_files_that_say_something_else(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidOption, match=r"keys\.toml|twice"):
        load_keys(write(tmp_path, text))


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="cannot be read"):
        load_keys(Settings(cache=tmp_path, aws_keys_file=tmp_path / "none"))
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidOption, match="not TOML"):
        load_keys(Settings(cache=tmp_path, aws_keys_file=path))
