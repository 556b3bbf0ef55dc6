"""How the command ends."""

from __future__ import annotations

import pytest

from sightline import cli
from sightline.console import server
from sightline.errors import InvalidOption, MissingInput, NoFace, UnknownTask


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NoFace("no face"), 1, "sightline: no face [no_face]\n"),
        (InvalidOption("wrong"), 2, "sightline: wrong [invalid_option]\n"),
        (MissingInput("none"), 2, "sightline: none [missing_input]\n"),
        (UnknownTask("which?"), 2, "sightline: which? [unknown_task]\n"),
        (ValueError("two\nlines"), 1, "sightline: unexpected error, ValueError: two lines [internal_error]\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (code, said)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", "")],
)
def test_loopback(host: str, alone: bool) -> None:
    assert server._is_loopback(host) is alone
