"""Progress on a pipe: plain lines, one a file."""

from __future__ import annotations

import pytest

from sightline.console.progress import download_bar


def test_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    with download_bar() as report:
        for done in range(0, 5000, 100):
            report("one.bin", done, 5000)
            report("two.bin", done, None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "pulling one.bin (5,000 bytes)\npulling two.bin\n"
