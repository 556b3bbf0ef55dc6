"""The AWS CLI as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire.rekognition.conftest import KEY, REGION, SECRET

pytestmark = pytest.mark.models

AWS = shutil.which("aws", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
Aws = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def aws(rekognition_url: str, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    """Runs `aws rekognition ARGUMENTS` with the server's key."""
    if AWS is None:
        pytest.skip("the command `aws` is not installed")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "HOME": str(tmp_path_factory.mktemp("home")),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
    }

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [str(AWS), "rekognition", *arguments, "--endpoint-url", rekognition_url, "--output", "json"]
        return subprocess.run(
            command, capture_output=True, text=True, env={**environment, **changes}, timeout=120, check=False
        )

    return run


def done(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout or "{}")


def test_a_collection_from_the_command_line(aws: Aws, portrait_jpeg: Path) -> None:
    made = done(aws("create-collection", "--collection-id", "cli", "--tags", "team=doors"))
    assert made["CollectionArn"] == f"arn:aws:rekognition:{REGION}:000000000000:collection/cli"
    picture = ["--image-bytes", f"fileb://{portrait_jpeg}"]
    indexed = done(aws("index-faces", "--collection-id", "cli", *picture, "--external-image-id", "eileen"))
    face_id = indexed["FaceRecords"][0]["Face"]["FaceId"]
    found = done(aws("search-faces-by-image", "--collection-id", "cli", *picture))
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [face_id]
    listed = done(aws("list-faces", "--collection-id", "cli", "--page-size", "1"))
    assert [face["ExternalImageId"] for face in listed["Faces"]] == ["eileen"]
    assert done(aws("delete-collection", "--collection-id", "cli")) == {"StatusCode": 200}


def test_faces_of_a_file(aws: Aws, portrait_jpeg: Path) -> None:
    (face,) = done(aws("detect-faces", "--image-bytes", f"fileb://{portrait_jpeg}", "--attributes", "ALL"))[
        "FaceDetails"
    ]
    assert face["Smile"]["Value"] is True


def test_errors_end_the_command(aws: Aws) -> None:
    for arguments, error, changes in (
        (["describe-collection", "--collection-id", "never"], "ResourceNotFoundException", {}),
        (["list-collections"], "UnrecognizedClientException", {"AWS_ACCESS_KEY_ID": "nobody"}),
        (["list-stream-processors"], "AccessDeniedException", {}),
    ):
        ended = aws(*arguments, **changes)
        assert ended.returncode in (254, 255)
        assert f"({error})" in ended.stderr
