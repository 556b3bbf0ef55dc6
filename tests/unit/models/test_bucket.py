"""Models kept in S3: the right ones arrive whole, wrong ones are refused, and no key leads out of its folder."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sightline.errors import ChecksumMismatch, InvalidOption, ModelMissing, SourceFailed, UnknownModel
from sightline.models.bucket import fetch
from sightline.models.store import ZOO, Store
from sightline.settings import Settings

WEIGHTS = b"weights of a model"


class S3:
    """The two calls of S3 that are made, over objects in memory, two to a page."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.got: list[str] = []

    def get_paginator(self, operation: str) -> S3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Any:
        if Bucket != "my-models":
            raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no"}}, "ListObjectsV2")
        found = [{"Key": key, "Size": len(value)} for key, value in self.objects.items() if key.startswith(Prefix)]
        yield from ({"Contents": found[start : start + 2]} for start in range(0, len(found), 2))
        yield {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.got.append(Key)
        return {"Body": io.BytesIO(self.objects[Key])}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", models=tmp_path / "models", offline=True)


def own_card(name: str = "mine") -> bytes:
    """The card of a model of one's own, made of a shipped one."""
    text = (ZOO / "emotion-small" / "card.toml").read_text().replace("emotion-small", name)
    lines = [line for line in text.split("[[figures]]")[0].splitlines() if not line.startswith(("sha256", "size"))]
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    return "\n".join([*lines, f'sha256 = "{digest}"', f"size = {len(WEIGHTS)}", ""]).encode()


def test_a_model_of_ones_own(settings: Settings) -> None:
    s3 = S3(**{"prod/mine/card.toml": own_card(), "prod/mine/model.onnx": WEIGHTS, "other/x/card.toml": b"no"})
    assert fetch("s3://my-models/prod/", settings, s3) == ["mine"]
    store = Store(settings, pull=False)
    assert store.weights(store.card("mine")).read_bytes() == WEIGHTS
    assert len(s3.got) == 2
    fetch("s3://my-models/prod", settings, s3)
    assert len(s3.got) == 2  # what is here is not brought again


def test_a_file_that_was_changed_is_refused(settings: Settings) -> None:
    s3 = S3(**{"mine/card.toml": own_card(), "mine/model.onnx": WEIGHTS[::-1]})
    with pytest.raises(ChecksumMismatch, match="mine"):
        fetch("s3://my-models", settings, s3)


def test_files_of_a_shipped_card_go_into_the_cache(settings: Settings) -> None:
    card = Store(settings, pull=False).card("blazeface-full")
    key = f"{card.name}/{card.version}/{card.files[0].path}"
    with pytest.raises(ChecksumMismatch, match="blazeface-full"):
        fetch("s3://my-models", settings, S3(**{key: b"something else"}))
    assert (settings.cache / "models" / key).read_bytes() == b"something else"


def test_no_key_leads_elsewhere(settings: Settings, tmp_path: Path) -> None:
    keys = ["../../mine/x", "mine/../../x", "/etc/passwd", "mine/.hidden", "a/b/c/d", "loose", "mine//x"]
    s3 = S3(**{"p/mine/card.toml": own_card(), "p/mine/model.onnx": WEIGHTS, **{f"p/{key}": b"x" for key in keys}})
    assert fetch("s3://my-models/p", settings, s3) == ["mine"]
    assert sorted(s3.got) == ["p/mine/card.toml", "p/mine/model.onnx"]
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"models/mine/card.toml", "models/mine/model.onnx"}


def test_what_cannot_be_had_is_told(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption):
        fetch("https://my-models", settings, S3())
    with pytest.raises(SourceFailed, match="NoSuchBucket"):
        fetch("s3://their-models", settings, S3())
    with pytest.raises(ModelMissing, match="no models"):
        fetch("s3://my-models/nothing", settings, S3(**{"mine/card.toml": own_card()}))
    with pytest.raises(UnknownModel):
        fetch("s3://my-models", settings, S3(**{"nobody/1/model.onnx": b"x"}))
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ModelMissing, match="written"):
        fetch("s3://my-models", settings, S3(**{"mine/card.toml": own_card()}))
