"""Which reader opens which kind of file. Keras and PyTorch are imported only for files of theirs."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from sightline.errors import InvalidOption

from .kinds import kind_of
from .request import Request
from .source import Source

_NEEDS = {
    "hdf5": ("torch", "keras", "h5py", "onnxscript"),
    "keras": ("torch", "keras", "h5py", "onnxscript"),
    "torchscript": ("torch", "onnxscript"),
    "torch-export": ("torch", "onnxscript"),
    "torch-weights": ("torch", "onnxscript"),
}


def read(request: Request, shape: tuple[int, ...] | None, scratch: Path) -> Source:
    """The model of the request's file. `shape` is that of one input without the batch, where the user stated it.

    Raises `InvalidOption`, and `ModelError` with the reason where the file cannot or must not be read.
    """
    kind = kind_of(request.file)
    missing = [name for name in _NEEDS.get(kind, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidOption(
            f"{request.file.name} needs {', '.join(missing)} to be converted: pip install 'sightline[import]'"
        )
    if request.architecture is not None and kind not in ("hdf5", "torch-weights"):
        raise InvalidOption(f"{request.file.name} holds its own network; --architecture is for files of weights only")
    return _read(kind, request, shape, scratch)


def _read(kind: str, request: Request, shape: tuple[int, ...] | None, scratch: Path) -> Source:
    path, trust = request.file, request.trust
    if kind == "onnx":
        from .onnx_file import read_onnx

        return read_onnx(path, scratch)
    if kind == "tflite":
        from .tflite_file import read_tflite

        return read_tflite(path)
    if kind == "torchscript":
        from .torch_file import read_script

        return read_script(path, shape)
    if kind == "torch-export":
        from .torch_export import read_program

        return read_program(path, scratch)
    # Keras chooses its backend when it is imported (by the user's code, it may be), and writes its own settings
    # where this variable points.
    os.environ.update(KERAS_BACKEND="torch", KERAS_HOME=str(scratch))
    if kind == "torch-weights":
        from .torch_weights import read_weights

        return read_weights(path, shape, request.architecture, trust=trust)
    if kind == "keras":
        from . import keras_file

        return keras_file.read_archive(path, scratch, trust=trust)
    return _read_hdf5(request, scratch)


def _read_hdf5(request: Request, scratch: Path) -> Source:
    from . import keras_file, weights_only

    path, trust = request.file, request.trust
    if request.architecture is None and keras_file.is_whole(path):
        return keras_file.read_hdf5(path, scratch, trust=trust)
    return weights_only.read_hdf5(path, scratch, request.architecture, trust=trust)
