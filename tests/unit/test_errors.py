"""Codes are stable and told apart; each has its place in HTTP."""

from __future__ import annotations

import inspect
import re

from sightline import errors
from sightline.errors import SightlineError
from sightline.serving.errors import STATUS

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, SightlineError)]


def test_every_error_has_a_code_of_its_own() -> None:
    assert len(CLASSES) > 20
    codes = [item.code for item in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(item) for item in CLASSES), "inherited from another error"
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_code_has_a_fitting_status() -> None:
    for item in CLASSES:
        status = STATUS[item.code]
        # 499 is only ever logged: nobody is there to read it.
        if issubclass(item, errors.InvalidRequest | errors.NotFound | errors.Throttled | errors.Cancelled):
            assert 400 <= status < 500, item
        else:
            assert 500 <= status < 600, item
    assert STATUS["unknown_task"] == STATUS["unknown_model"] == 404
    assert STATUS["image_too_large"] == 413
    assert STATUS["unsupported_format"] == 415
    assert STATUS["busy"] == 503


def test_the_tree_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = re.findall(r"^[│ ├└─]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    assert set(drawn) >= {item.__name__ for item in CLASSES}
    parents = {item.__name__: item.__bases__[0].__name__ for item in CLASSES if item is not SightlineError}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([│ ├└─]*)([A-Z]\w+)(\s{2,}|$)", line)
        if not found or found[2] not in {item.__name__ for item in CLASSES}:
            continue
        depth = len(found[1])
        stack = [entry for entry in stack if entry[0] < depth]
        if stack:
            assert parents[found[2]] == stack[-1][1], line
        stack.append((depth, found[2]))
