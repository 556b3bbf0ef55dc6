"""The one decoder: for training, evaluation, serving and Lambda alike.

Formats are an allow-list, sniffed from the bytes, never from a name or a header. Bytes and pixels are
checked against their budgets before anything is decompressed. Whatever the file's colour model, the
same picture comes out: EXIF orientation applied, alpha composited on white, RGB, 8 bits.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.errors import ImageTooLarge, InvalidImage, UnsupportedFormat
from sightline.images.picture import Picture, Pixels

if TYPE_CHECKING:
    from sightline.settings import Settings

Source: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[np.uint8] | Image.Image | Picture"
)
"""What a task takes for a picture: a path, encoded bytes, an array (RGB, RGBA or grey, uint8), a PIL image."""

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 64_000_000

# EXIF 2.32, tag 0x0112: what has to be done to the stored picture to see it upright.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def sniff(data: bytes | bytearray | memoryview) -> str | None:
    """The format of encoded bytes by their signature: `JPEG`, `PNG`, `WEBP`, `BMP`, `GIF`, `TIFF` or None."""
    head = bytes(data[:16])
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    if head.startswith(b"BM"):
        return "BMP"
    return None


def decode(
    data: bytes | bytearray | memoryview,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
) -> Picture:
    """Decode encoded bytes into an upright RGB picture.

    `enough`: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its longer side keeps at
    least this many pixels; `Picture.width` and `height` stay those of the full picture.

    Raises `ImageTooLarge` over a budget, `UnsupportedFormat` outside the allow-list, `InvalidImage` for
    bytes that do not decode. Never anything else, whatever the bytes.
    """
    started = time.perf_counter()
    if len(data) > max_bytes:
        raise ImageTooLarge(f"the picture has {len(data):,} bytes; at most {max_bytes:,} are accepted")
    if not data:
        raise InvalidImage("the picture is empty (0 bytes)")
    kind = sniff(data)
    if kind is None:
        raise UnsupportedFormat("not a picture in a supported format (JPEG, PNG, WebP, BMP, GIF, TIFF)")
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            _check_pixels(image.size, max_pixels)
            full = image.size
            if enough is not None and kind == "JPEG":
                _reduce(image, enough)
            image.load()
            orientation = _orientation(image)
            pixels = _to_rgb(image, orientation)
    except InvalidImage:
        raise
    except Image.DecompressionBombError:
        raise ImageTooLarge(f"the picture has far more than the {max_pixels:,} pixels that are accepted") from None
    # Decoders meet hostile bytes with many kinds of exception (OSError, SyntaxError, struct.error,
    # ZeroDivisionError, ...): the promise to callers is that they see one.
    except Exception as error:
        raise InvalidImage(f"the {kind} picture is damaged or incomplete: {_one_line(error)}") from None
    width, height = full if orientation not in (5, 6, 7, 8) else full[::-1]
    return Picture(pixels, width, height, kind, (time.perf_counter() - started) * 1000)


def read(source: Source, *, settings: Settings | None = None, enough: int | None = None) -> Picture:
    """A picture from whatever a caller holds: path, bytes, array, PIL image or a picture.

    Arrays are height x width (grey), x 3 (RGB) or x 4 (RGBA), uint8, already upright. Raises
    `InvalidImage` (also for a path that cannot be read) and what `decode` raises.
    """
    max_bytes = settings.max_bytes if settings else MAX_BYTES
    max_pixels = settings.max_pixels if settings else MAX_PIXELS
    if isinstance(source, Picture):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(source, max_bytes=max_bytes, max_pixels=max_pixels, enough=enough)
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pil(source, max_pixels)
    if isinstance(source, str | os.PathLike):
        return decode(_read_file(Path(source), max_bytes), max_bytes=max_bytes, max_pixels=max_pixels, enough=enough)
    raise InvalidImage(f"a picture is a path, bytes, an array or a PIL image, not {type(source).__name__}")


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        data = bytearray()
        with path.open("rb") as file:
            # One byte past the budget is enough to know: a device or a huge file is not read whole. In pieces,
            # since a file object reserves all that it is asked for.
            while piece := file.read(min(1 << 20, max_bytes + 1 - len(data))):
                data += piece
        return bytes(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidImage(f"cannot read {path}: {reason}") from None


def _from_array(array: npt.NDArray[np.uint8], max_pixels: int) -> Picture:
    if array.dtype != np.uint8:
        raise InvalidImage(f"an array picture holds uint8, not {array.dtype}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or 0 in array.shape:
        raise InvalidImage(f"an array picture is height x width (x 3 or x 4), not of shape {array.shape}")
    _check_pixels((array.shape[1], array.shape[0]), max_pixels)
    if array.ndim == 3 and array.shape[2] == 3:
        return Picture.of(array)
    grey_or_rgba = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return Picture.of(_to_rgb(Image.fromarray(np.ascontiguousarray(grey_or_rgba)), 1))


def _from_pil(image: Image.Image, max_pixels: int) -> Picture:
    _check_pixels(image.size, max_pixels)
    try:
        image.load()  # a TIFF turns itself upright here: its orientation counts only afterwards
        return Picture.of(_to_rgb(image, _orientation(image)))
    except InvalidImage:
        raise
    except Exception as error:
        raise InvalidImage(f"the PIL image cannot be read: {_one_line(error)}") from None


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InvalidImage(f"the picture declares no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise ImageTooLarge(f"the picture is {width} x {height}; at most {max_pixels:,} pixels are accepted")


def _reduce(image: Image.Image, enough: int) -> None:
    """Tell the JPEG decoder to give a half, a quarter or an eighth, from the DCT coefficients."""
    width, height = image.size
    for factor in (8, 4, 2):
        if max(width, height) // factor >= enough and min(width, height) // factor >= 1:
            image.draft(None, (width // factor, height // factor))
            return


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1  # a broken EXIF block says nothing; the pixels are still good
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def _to_rgb(image: Image.Image, orientation: int) -> Pixels:
    if orientation != 1:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode == "RGB" and "transparency" not in image.info:
        return np.array(image)
    if image.mode.startswith("I"):
        # 16-bit grey, or 32-bit integers holding 16-bit grey. The high byte is what a decoder of 16-bit RGB keeps.
        values = np.asarray(image).astype(np.int64)
        grey = np.clip(values >> 8, 0, 255).astype(np.uint8)
        if isinstance(image.info.get("transparency"), int):  # PNG's tRNS: this one value is see-through
            grey[values == image.info["transparency"]] = 255
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "F":
        raise UnsupportedFormat("pictures of floating-point numbers have no defined brightness and are not supported")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return np.array(white)
    return np.array(image.convert("RGB"))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
