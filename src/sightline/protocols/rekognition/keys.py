"""Who may call, and what: the access keys of this server and the permissions of each.

The keys come from two settings, or from a TOML file:

    [[keys]]
    access_key_id = "door-camera"
    secret_access_key = "..."
    read_only = true
    collections = ["staff-*", "visitors"]

`read_only` and `collections` may be left out: such a key may do everything. A pattern is that of a shell (`*`, `?`,
`[...]`), matched with case.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption
from sightline.settings import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """An access key and what it permits."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    read_only: bool = False
    collections: tuple[str, ...] = ("*",)

    def may_see(self, collection_id: str) -> bool:
        """Whether the key may name this collection at all."""
        return any(fnmatchcase(collection_id, pattern) for pattern in self.collections)


ANYBODY = Key("anonymous", "")
"""Who calls where callers need not sign."""


def load_keys(settings: Settings) -> Mapping[str, Key]:
    """The keys by their ids; empty where none are set. Raises `InvalidOption`."""
    keys = [] if settings.aws_keys_file is None else _read(settings.aws_keys_file)
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        keys.append(Key(settings.aws_access_key_id, settings.aws_secret_access_key))
    by_id = {key.access_key_id: key for key in keys}
    if len(by_id) < len(keys):
        raise InvalidOption("an AWS access key id is set twice")
    return by_id


def _read(path: Path) -> list[Key]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidOption(f"the key file {path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InvalidOption(f"the key file {path} is not TOML: {error}") from None
    tables = data.get("keys")
    if not isinstance(tables, list) or not tables or set(data) != {"keys"}:
        raise InvalidOption(f"the key file {path} holds [[keys]] tables and nothing else, at least one")
    return [_key(table, f"key {number} of {path}") for number, table in enumerate(tables, 1)]


def _key(table: Any, where: str) -> Key:
    known = {item.name for item in fields(Key)}
    if not isinstance(table, dict) or not set(table) <= known:
        raise InvalidOption(f"{where} has other members than {', '.join(sorted(known))}")
    names = ("access_key_id", "secret_access_key")
    if not all(isinstance(table.get(name), str) and table[name] for name in names):
        raise InvalidOption(f"{where} needs access_key_id and secret_access_key, as text")
    # A slash would end the id in a signature's credential scope.
    if not all(33 <= ord(character) < 127 and character not in "/,=" for character in table["access_key_id"]):
        raise InvalidOption(f"{where}: an access_key_id is ASCII without spaces, slashes, commas and equal signs")
    if not isinstance(table.get("read_only", False), bool):
        raise InvalidOption(f"{where}: read_only is true or false")
    patterns = table.get("collections", ["*"])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InvalidOption(f"{where}: collections is a list of patterns")
    return Key(table[names[0]], table[names[1]], table.get("read_only", False), tuple(patterns))
