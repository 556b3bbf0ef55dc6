"""The examples of a page of the documentation, run as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str, kind: str) -> list[str]:
    """The blocks of `docs/PAGE.md` that are marked `sh` or `python`, in their order."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/{page}.md has no example in {kind}"
    return found


def run(example: str, kind: str, folder: Path, **environment: str) -> str:
    """What an example prints. A shell that meets an error stops there."""
    command = [sys.executable, "-c", example] if kind == "python" else ["sh", "-ec", example]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
