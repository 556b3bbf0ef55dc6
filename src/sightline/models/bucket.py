"""Models kept in S3, brought to this machine before anything is served."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sightline.errors import ChecksumMismatch, InvalidOption, ModelMissing, SourceFailed
from sightline.models.store import Store
from sightline.settings import Settings

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


def fetch(place: str, settings: Settings | None = None, client: Any = None) -> list[str]:
    """Bring the models at `s3://BUCKET/PREFIX` and check every file by the sha256 of its card; the models' names.

    `NAME/VERSION/FILE` below the prefix goes into the cache, as `aws s3 sync` of its folder `models` put it there;
    `NAME/FILE`, with a `card.toml` among them, is a model of the user's own. `client` is botocore's for S3.

    Raises `InvalidOption`, `SourceFailed`, `ModelMissing` (the disk cannot be written) and `ChecksumMismatch`.
    """
    settings = settings or Settings.from_env()
    found = _PLACE.fullmatch(place)
    if not found:
        raise InvalidOption(f"{place!r} is not of the form s3://BUCKET/PREFIX")
    bucket, prefix = found[1], (found[2] or "").strip("/")
    prefix = f"{prefix}/" if prefix else ""
    names: set[str] = set()
    import botocore.exceptions

    try:
        client = client or _client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                target = _target(item["Key"].removeprefix(prefix), settings)
                if target is not None:
                    name, path = target
                    names.add(name)
                    _download(client, bucket, item, path)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise SourceFailed(f"the models cannot be read from {place}: {error}") from None
    except OSError as error:
        raise ModelMissing(f"the models of {place} cannot be written: {error.strerror or error}") from None
    if not names:
        raise ModelMissing(f"there are no models at {place}")
    store = Store(settings, pull=False)
    for name in sorted(names):
        problems = store.verify(store.card(name))
        if problems:
            raise ChecksumMismatch(f"{name} from {place}: {'; '.join(problems)}")
    return sorted(names)


def _target(key: str, settings: Settings) -> tuple[str, Path] | None:
    """A model's name and where the file of a key belongs; None for what is no model's. No key leads elsewhere."""
    parts = key.split("/")
    if not all(_PLAIN.fullmatch(part) for part in parts):
        return None
    if len(parts) == 3:
        return parts[0], settings.cache.joinpath("models", *parts)
    if len(parts) == 2:
        return parts[0], settings.models.joinpath(*parts)
    return None


def _download(client: Any, bucket: str, item: dict[str, Any], path: Path) -> None:
    if path.is_file() and path.stat().st_size == item["Size"]:
        return  # from an earlier start; its hash is looked at all the same
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with client.get_object(Bucket=bucket, Key=item["Key"])["Body"] as body, part.open("wb") as file:
        for chunk in iter(lambda: body.read(1 << 20), b""):
            file.write(chunk)
    os.replace(part, path)


def _client() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 5})
    return get_session().create_client("s3", config=config)
