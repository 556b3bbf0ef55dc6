"""Programs of `torch.export` (`.pt2`).

PyTorch's own loader unpickles parts of such a file and evaluates expressions in it. Here a copy is made that holds
only tensors as plain bytes and a program of tensor operations, and that copy is loaded.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.engines.base import Array, Tensor
from sightline.errors import ModelError

from .kinds import open_archive, read_member
from .reasons import reason
from .source import Source, batched
from .torch_graph import to_onnx

_MODEL = "models/model.json"
_PARTS = re.compile(r"archive_format|archive_version|byteorder|\.data/\w+|data/(weights|constants)/[\w.]+")
_TARGET = re.compile(
    r"torch\.ops\.aten\.(?!from_file|save|load)\w+\.\w+|torch\.sym_\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|getitem|eq|ne|lt|le|gt|ge)"
)
# A size: a symbol with its assumptions, or arithmetic of such, as sympy prints it.
_SYMBOL = re.compile(r"Symbol\('[su]\d+'(, (positive|nonnegative|integer)=(True|False))*\)")
_ARITHMETIC = re.compile(r"([su]?\d+|Add|Mul|Pow|Integer|FloorDiv|PythonMod|Mod|Max|Min|int_oo|[-+*/(), ])*")
_CONTAINERS = {"builtins.tuple", "builtins.list", "builtins.dict", None}


def read_program(path: Path, scratch: Path) -> Source:
    """The exported program. Raises `ModelError` with the reason where it cannot or must not be loaded."""
    clean = scratch / "model.pt2"
    write_clean(path, clean)
    try:
        program = torch.export.load(clean)
        inputs = _inputs(program)
        module = program.module(check_guards=False)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"PyTorch cannot load {path.name}: {reason(error)}") from None

    def run(*arrays: Array) -> tuple[Array, ...]:
        with torch.inference_mode():
            answer = module(*map(torch.from_numpy, arrays))
        return tuple(output.numpy() for output in torch.utils._pytree.tree_leaves(answer))

    # A program with a free batch takes any number of pictures; another takes what it was traced with.
    return Source("torch.export", inputs, batched(run, inputs[0].shape[0]), to_onnx(program, (), None))


def write_clean(path: Path, clean: Path) -> None:
    """Copy the members that are tensors and the program. Raises `ModelError` for pickled parts, operations outside
    PyTorch's tensor library, and expressions that are no arithmetic."""
    archive = open_archive(path)
    top = archive.namelist()[0].partition("/")[0]
    with zipfile.ZipFile(clean, "w", zipfile.ZIP_STORED) as target:
        for name in archive.namelist():
            inner = name.removeprefix(f"{top}/")
            if inner == _MODEL:
                target.writestr(name, json.dumps(_checked_program(_json(read_member(archive, name), path), path)))
            elif _PARTS.fullmatch(inner):
                data = read_member(archive, name)
                if inner.endswith("_config.json"):
                    _check_payloads(_json(data, path), path)
                target.writestr(name, data)
        # The example the program was traced with, which PyTorch keeps as a pickle; empty stands for none.
        target.writestr(f"{top}/data/sample_inputs/model.pt", b"")


def _json(data: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path.name} is damaged: a part of it is no JSON object")
    return found


def _check_payloads(config: dict[str, Any], path: Path) -> None:
    payloads = config.get("config")
    for payload in payloads.values() if isinstance(payloads, dict) else ():
        name = payload.get("path_name") if isinstance(payload, dict) else None
        plain = isinstance(name, str) and re.fullmatch(r"(weight|tensor)_\d+", name)
        if not plain or payload.get("use_pickle") is not False:
            raise ModelError(f"{path.name} keeps {name!r} as a pickle; it is not loaded")


def _checked_program(program: dict[str, Any], path: Path) -> dict[str, Any]:
    waiting: list[Any] = [program]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        if not isinstance(part, dict):
            continue
        if "target" in part and not _TARGET.fullmatch(str(part["target"])):
            raise ModelError(f"{path.name} calls {part['target']!r}, which is no tensor operation of PyTorch's")
        if "metadata" in part:
            part["metadata"] = {}  # names of the classes and lines it was traced from
        expression = part.get("expr_str", "")
        if not _ARITHMETIC.fullmatch(_SYMBOL.sub("1", str(expression))):
            raise ModelError(f"{path.name} has a size {str(expression)[:80]!r}, which is no arithmetic")
        for name in ("in_spec", "out_spec"):
            if isinstance(part.get(name), str):
                _check_containers(part[name], path)
        waiting += part.values()
    program["guards_code"] = []
    return program


def _check_containers(text: str, path: Path) -> None:
    try:
        waiting: list[Any] = [json.loads(text)[1]]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ModelError(f"{path.name} is damaged: what it takes and gives is not described") from None
    while waiting:
        spec = waiting.pop()
        if not isinstance(spec, dict) or spec.get("type") not in _CONTAINERS or "__enum__" in str(spec.get("context")):
            raise ModelError(f"{path.name} takes or gives something else than tensors in lists, tuples and dicts")
        waiting += spec.get("children_spec", [])


def _inputs(program: Any) -> tuple[Tensor, ...]:
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    tensors = []
    for name in names:
        value = nodes[name].meta.get("val") if name in nodes else None
        if not isinstance(value, torch.Tensor):
            raise ModelError("the program takes something else than tensors")
        shape = tuple(size if isinstance(size, int) else None for size in value.shape)
        tensors.append(Tensor(str(name), shape, np.dtype(str(value.dtype).removeprefix("torch."))))
    return tuple(tensors)
