"""What every answer must hold to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer

Check = Callable[[Answer], dict[str, Any]]


@pytest.fixture
def quiet(tmp_path: Path) -> Settings:
    """Settings of a process that opens no socket and keeps nothing."""
    return Settings(cache=tmp_path, offline=True)


@pytest.fixture
def checked() -> Check:
    """`to_dict()` of an answer, once it has been found to be JSON and to hold to the answer's own schema."""

    def check(answer: Answer) -> dict[str, Any]:
        jsonschema.Draft202012Validator.check_schema(answer.schema)
        jsonschema.validate(answer.members(), answer.schema, jsonschema.Draft202012Validator)
        said = answer.to_dict()
        assert json.loads(json.dumps(said, allow_nan=False)) == said
        common = {name: said[name] for name in ("model", "models", "timings_ms")}
        assert {name: said[name] for name in said if name not in common} == answer.members()
        jsonschema.validate(
            common,
            schema.members(model=schema.IDENTITY, models=schema.each(schema.IDENTITY), timings_ms=schema.TIMINGS),
        )
        assert common["model"] == common["models"][0]
        json.dumps(answer.caption(), allow_nan=False)
        return said

    return check
