"""`sightline rekognition operations`, and the page that holds its list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("botocore", reason="botocore is not installed")

from sightline.console import rekognition

PAGE = Path(__file__).parents[3] / "docs" / "rekognition.md"


def test_the_page_holds_the_list_as_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    rekognition.operations(as_json=False, as_markdown=True)
    printed = capsys.readouterr().out
    assert printed.startswith("22 of the 75 operations")
    assert PAGE.read_text().endswith(f"\n\n{printed}"), "sightline rekognition operations --markdown"


def test_json_names_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    rekognition.operations(as_json=True, as_markdown=False)
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["operations"]}
    assert len(listed) == 75
    assert listed["IndexFaces"]["works"] is True
    assert listed["IndexFaces"]["answer"]
    assert listed["DetectText"] == {"name": "DetectText", "works": False, "answer": "", "note": ""}


def test_the_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    rekognition.operations(as_json=False, as_markdown=False)
    assert "SearchFacesByImage" in capsys.readouterr().out
