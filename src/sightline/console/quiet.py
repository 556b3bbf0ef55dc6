"""Keeps one line of a library off stderr, which is for errors."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# LiteRT writes this from C when its first interpreter is made; no setting of its own turns it off.
_NOTICE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@contextmanager
def without_notice() -> Iterator[None]:
    """Hold back what is written to stderr, then write all of it but that notice.

    File descriptor 2 belongs to the whole process, so this is for commands that load models in their only thread.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, ValueError, AttributeError):  # a process without stderr
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            kept = b"".join(line for line in held if line.strip() != _NOTICE)
            if kept:
                os.write(2, kept)
