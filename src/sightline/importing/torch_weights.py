"""State dicts of PyTorch (`.pt`): weights alone, for a module that the user's own code builds."""

from __future__ import annotations

import pickletools
import re
from pathlib import Path

import torch

from sightline.errors import ModelError

from .kinds import open_archive, read_member
from .reasons import reason
from .source import Source
from .torch_file import as_source
from .users_code import build, shown

_TENSORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)"
    r"|torch (\w+Storage|Size|\w*float\d*|\w*int\d+)"
)


def read_weights(path: Path, shape: tuple[int, ...] | None, architecture: str | None, *, trust: bool) -> Source:
    """The state dict of a `.pt` file, read without unpickling anything but tensors, in the user's `torch.nn.Module`.

    Raises `InvalidOption` where the architecture or the shape is missing, `ModelError` where the weights do not fit.
    """
    _check_pickle(path)
    model = build(architecture, path, torch.nn.Module, {}, trust)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path.name} holds more than weights, and is not unpickled: save module.state_dict(), torch.jit or "
            f"torch.export ({reason(error, 120)})"
        ) from None
    try:
        model.load_state_dict(state)
    except Exception as error:
        raise ModelError(f"the weights of {path.name} do not fit {architecture}: {reason(error)}") from None
    return as_source(model, f"PyTorch weights in {shown(architecture)}", shape)


def _check_pickle(path: Path) -> None:
    """Raise `ModelError` where the pickle of a `.pt` file names more than tensors. It is read, not run."""
    archive = open_archive(path)
    (member,) = [name for name in archive.namelist() if name.partition("/")[2] == "data.pkl"][:1]
    strings: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(read_member(archive, member)):
            if code.name == "GLOBAL":
                named = str(argument)
            elif code.name == "STACK_GLOBAL":
                named = " ".join(strings[-2:])
            else:
                strings += [argument] if isinstance(argument, str) else []
                continue
            if not _TENSORS.fullmatch(named):
                raise ModelError(
                    f"{path.name} is a pickle that runs {named!r} when it is opened, so it is not; save "
                    f"module.state_dict(), torch.jit or torch.export"
                )
    except ValueError as error:
        raise ModelError(f"{path.name} is damaged: {reason(error)}") from None
