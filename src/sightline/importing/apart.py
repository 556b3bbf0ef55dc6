"""Imports run in a process of their own: a hostile or broken file may crash or fill the readers it is given to, and
frameworks print and leave settings behind; none of it touches the caller."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from sightline.errors import ModelError

from .request import Imported, Request

# Virtual memory: frameworks map several GiB before they begin.
_MEMORY = 24 * 2**30


def bring_apart(request: Request) -> Imported:
    """`bring` in a child process with bounded memory. Raises what it raises, and `ModelError` if the child dies."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_prepare) as pool:
        try:
            return pool.submit(_run, request).result()
        except BrokenProcessPool:
            raise ModelError(f"{request.file.name} made its reader crash; it is damaged or made to do harm") from None
        except MemoryError:
            raise ModelError(f"{request.file.name} needs more memory than an import may have") from None


def _run(request: Request) -> Imported:
    from .bring import bring

    return bring(request)


def _prepare() -> None:
    """Silence, since only the result goes to the user, and a bound on memory where the system has one."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of this process
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # Some systems have the name and refuse the bound.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (min(_MEMORY, hard) if hard >= 0 else _MEMORY, hard))
