"""What kind of file a model comes in, by its bytes and never by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from sightline.errors import InvalidOption, ModelError

# An ONNX file may not be larger; far above what answers a request in good time.
LARGEST = 2**31 - 1
# Weights hardly shrink: an archive that swells more than this is made to fill a disk.
SWELLING = 100

READABLE = (
    "Keras (.h5, .hdf5, .keras, .weights.h5), TorchScript (.pt), torch.export (.pt2), ONNX (.onnx) and TFLite (.tflite)"
)
_PICKLE = "a pickle, which runs code when it is opened"


def kind_of(path: Path) -> str:
    """`hdf5`, `keras`, `torchscript`, `torch-export`, `torch-weights`, `onnx` or `tflite`.

    Raises `InvalidOption` where there is no such file, and `ModelError` for anything else, archives that swell
    beyond reason included.
    """
    if path.is_dir():
        hint = "; a TensorFlow SavedModel has to be saved as .keras, .h5 or .tflite first"
        raise ModelError(f"{path} is a folder{hint if (path / 'saved_model.pb').exists() else ''}; give a model file")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise InvalidOption(f"cannot read {path}: {error.strerror}") from None
    if size > LARGEST:
        raise ModelError(f"{path.name} has {size:,} bytes; {LARGEST:,} is the most")
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head[:1] == b"\x80" or zipfile.is_zipfile(path):
        raise ModelError(f"{path.name} looks like {_PICKLE}: it is not opened. Readable are {READABLE}")
    if head[:1] == b"\x08":  # the first field of an ONNX model, its IR version
        return "onnx"
    raise ModelError(f"{path.name} is no model file that can be read; readable are {READABLE}")


def _archive(path: Path) -> str:
    names = open_archive(path).namelist()
    if "config.json" in names and "model.weights.h5" in names:
        return "keras"
    inner = {name.partition("/")[2] for name in names}
    if "archive_format" in inner and "models/model.json" in inner:
        return "torch-export"
    if "serialized_exported_program.json" in names:
        raise ModelError(f"{path.name} was written by torch.export before 2.8; save it again with a newer PyTorch")
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "torch-weights"
    raise ModelError(f"{path.name} is an archive of something else; readable are {READABLE}")


def open_archive(path: Path) -> zipfile.ZipFile:
    """A zip file whose members are plainly named, each once, and not larger unpacked than a model may be.

    Raises `ModelError`.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{path.name} is a damaged archive: {error}") from None
    total = sum(member.file_size for member in members)
    if total > min(LARGEST, max(path.stat().st_size * SWELLING, 2**20)):
        raise ModelError(f"{path.name} would swell to {total:,} bytes; it is not unpacked")
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or any(".." in name.split("/") or name.startswith("/") for name in names):
        raise ModelError(f"{path.name} has members of the same or of an unsafe name; it is not unpacked")
    return archive


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes. Raises `ModelError` where it is absent, damaged, or holds more than it announces."""
    where = f"{Path(archive.filename or '').name}: its member {name}"
    try:
        announced = archive.getinfo(name).file_size
        with archive.open(name) as file:
            data = file.read(announced + 1)
    except Exception as error:  # the errors of zipfile and of its decompressors have no common base
        raise ModelError(f"{where} cannot be read: {error}") from None
    if len(data) != announced:
        raise ModelError(f"{where} is not as long as announced")
    return data
