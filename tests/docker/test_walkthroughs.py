"""Every local command of the walk-throughs, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.docker.containers import ROOT

BOX = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
SAID = {"emotion-on-lambda": ("happy", '"statusCode": 200', "is a valid SAM Template", '{"message": "Ok"}')}


@pytest.mark.parametrize("name", SAID)
def test_the_commands_work(name: str) -> None:
    boxes = BOX.findall((ROOT / "docs" / "walkthroughs" / f"{name}.md").read_text())
    assert len(boxes) > 3
    said = ""
    for box in boxes:
        command = ["bash", "-euo", "pipefail", "-c", box]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "AWS_ACCESS_KEY_ID": "none"}, capture_output=True)
        told = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, f"{box}\n{told[-3000:]}"
        said += told
    for expected in SAID[name]:
        assert expected in said, expected
