"""The one decoder: the same picture whatever the file, and one kind of error whatever the bytes."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sightline.errors import ImageTooLarge, InvalidImage, UnsupportedFormat
from sightline.images.decode import decode, read, sniff
from sightline.images.picture import Picture
from sightline.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of what the decoder then refuses or ignores

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 0x0112
MAGIC = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WEBP": b"RIFF\x40\x00\x00\x00WEBP",
    "BMP": b"BM",
    "GIF": b"GIF89a",
    "TIFF": b"II*\0",
}


def smooth(width: int, height: int) -> Pixels:
    """A picture without symmetry whose colours change slowly, so that JPEG keeps them."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 20 + 200 * x / max(width, 2), 30 + 180 * y / max(height, 2)
    return np.stack([red, green, 60 + (red + green) / 4], axis=-1).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(size: tuple[int, int], depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG written by hand: what Pillow cannot write. `rows` holds each row after its filter byte."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return MAGIC["PNG"] + b"".join(parts)


def png16(samples: npt.NDArray[np.uint16], colour: int, extra: bytes = b"") -> bytes:
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return raw_png((width, height), 16, colour, rows, extra)


def stored(upright: Pixels, orientation: int) -> Pixels:
    """What a camera stores, by EXIF 2.32: where the stored row 0 and column 0 lie on the upright picture."""
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright[:, ::-1].transpose(1, 0, 2),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright[::-1].transpose(1, 0, 2),
    }[orientation]


def oriented(pixels: Pixels, orientation: int, kind: str) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(stored(pixels, orientation)))
    if kind == "TIFF":
        return encoded(image, kind, tiffinfo={ORIENTATION: orientation})
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    quality: dict[str, Any] = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    lossless: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    return encoded(image, kind, exif=exif, **quality, **lossless)


def furthest(a: Pixels, b: Pixels) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    share = alpha[..., None] / 255
    return np.asarray(np.round(pixels * share + 255 * (1 - share)), np.uint8)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "tolerance"), [("PNG", 0), ("WEBP", 0), ("TIFF", 0), ("JPEG", 4)])
def test_the_eight_orientations_of_a_picture_are_one_picture(kind: str, tolerance: int, orientation: int) -> None:
    pixels = smooth(37, 23)
    picture = decode(oriented(pixels, orientation, kind))
    assert (picture.width, picture.height, picture.format) == (37, 23, kind)
    assert picture.pixels.flags.c_contiguous
    assert furthest(picture.pixels, pixels) <= tolerance


@settings(deadline=None, max_examples=40)
@given(
    pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    orientation=st.integers(1, 8),
    kind=st.sampled_from(["PNG", "WEBP", "TIFF"]),
)
def test_any_picture_in_any_orientation_is_exact(pixels: Pixels, orientation: int, kind: str) -> None:
    picture = decode(oriented(pixels, orientation, kind))
    assert np.array_equal(picture.pixels, pixels)
    assert (picture.height, picture.width) == pixels.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_upright_and_says_its_full_size(orientation: int) -> None:
    picture = decode(oriented(smooth(320, 200), orientation, "JPEG"), enough=70)
    assert (picture.width, picture.height) == (320, 200)
    assert picture.pixels.shape == (50, 80, 3)
    assert picture.scale == (4, 4)
    assert picture.reduced
    wanted = smooth(320, 200).reshape(50, 4, 80, 4, 3).mean(axis=(1, 3))
    assert np.abs(picture.pixels - wanted).max() <= 5


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_pil_image_that_is_not_read_yet_is_upright_too(orientation: int, tmp_path: Path) -> None:
    pixels = smooth(7, 5)
    for kind in ("PNG", "TIFF", "WEBP"):
        path = tmp_path / f"picture.{kind.lower()}"
        path.write_bytes(oriented(pixels, orientation, kind))
        with Image.open(path) as image:
            assert np.array_equal(read(image).pixels, pixels), kind


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_exif_does_not_know_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(Image.fromarray(smooth(6, 4)), "PNG", exif=exif)
    assert np.array_equal(decode(data).pixels, smooth(6, 4))


@given(junk=st.binary(max_size=60))
@settings(deadline=None, max_examples=60)
def test_a_broken_exif_block_is_ignored(junk: bytes) -> None:
    # An intact TIFF head and a directory of one entry that is not the orientation; then junk.
    block = b"Exif\0\0II*\0\x08\0\0\0\x03\0" + struct.pack("<HHII", 0x010F, 2, 2**31, 2**31) + junk
    for kind in ("JPEG", "WEBP"):
        options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}
        data = encoded(Image.fromarray(smooth(9, 6)), kind, exif=block, **options)
        picture = decode(data)
        assert sorted(picture.pixels.shape) == [3, 6, 9]  # whatever the junk says, the pixels are kept
    for kind in ("PNG", "WEBP"):  # here Pillow's own reading of such a block fails
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(Image.fromarray(smooth(9, 6)), kind, exif=b"Exif\0\0no TIFF head at all", **options)
        assert np.array_equal(decode(data).pixels, smooth(9, 6)), kind
    for block in (b"Exif\0\0", b"Exif\0\0MM", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        data = encoded(Image.fromarray(smooth(9, 6)), "JPEG", exif=block, quality=100, subsampling=0)
        assert furthest(decode(data).pixels, smooth(9, 6)) <= 4


# Colour models


def test_grey_is_the_rgb_picture_of_equal_channels() -> None:
    grey = smooth(31, 17)[..., 0]
    wanted = np.repeat(grey[..., None], 3, axis=2)
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        assert np.array_equal(decode(encoded(Image.fromarray(grey), kind)).pixels, wanted), kind
    assert furthest(decode(encoded(Image.fromarray(grey), "JPEG", quality=100)).pixels, wanted) <= 2


def test_one_bit_is_black_and_white() -> None:
    pattern = (np.arange(35).reshape(5, 7) % 3 == 0).astype(np.uint8) * 255
    image = Image.fromarray(pattern).convert("1")
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(decode(encoded(image, kind)).pixels[..., 1], pattern), kind


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_a_palette_is_the_rgb_picture(kind: str) -> None:
    pixels = smooth(31, 17) // 64 * 64
    image = Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
    assert image.mode == "P"
    assert furthest(decode(encoded(image, kind)).pixels, pixels) <= 1


def test_a_palette_with_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([200, 100, 0, 10, 20, 30, 0, 0, 0])
    image.putdata([0, 1, 2])
    wanted = on_white(
        np.array([[[200, 100, 0], [10, 20, 30], [0, 0, 0]]], np.uint8), np.array([[255, 128, 0]], np.uint8)
    )
    picture = decode(encoded(image, "PNG", transparency=bytes([255, 128, 0])))
    assert furthest(picture.pixels, wanted) <= 1
    gif = decode(encoded(image, "GIF", transparency=2))
    assert gif.pixels[0].tolist() == [[200, 100, 0], [10, 20, 30], [255, 255, 255]]


@settings(deadline=None, max_examples=30)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4))))
def test_alpha_is_composited_on_white(rgba: Pixels) -> None:
    wanted = on_white(rgba[..., :3], rgba[..., 3])
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        picture = decode(encoded(Image.fromarray(rgba), kind, **options))
        assert furthest(picture.pixels, wanted) <= 1, kind
    grey = np.ascontiguousarray(rgba[..., [0, 3]])
    wanted_grey = on_white(np.repeat(rgba[..., :1], 3, axis=2), rgba[..., 3])
    assert furthest(decode(encoded(Image.fromarray(grey, "LA"), "PNG")).pixels, wanted_grey) <= 1
    assert furthest(read(rgba).pixels, wanted) <= 1
    assert furthest(read(Image.fromarray(rgba)).pixels, wanted) <= 1


def test_cmyk_is_the_rgb_picture() -> None:
    pixels = smooth(40, 24)
    cmyk = Image.fromarray(pixels).convert("CMYK")
    assert furthest(decode(encoded(cmyk, "TIFF")).pixels, pixels) <= 2
    assert furthest(decode(encoded(cmyk, "JPEG", quality=100, subsampling=0)).pixels, pixels) <= 6
    assert furthest(decode(encoded(cmyk, "JPEG", quality=100, subsampling=0), enough=20).pixels, pixels[::2, ::2]) <= 16


@settings(deadline=None, max_examples=30)
@given(
    samples=arrays.arrays(np.uint16, st.tuples(st.integers(1, 5), st.integers(1, 5))),
    seed=st.integers(0, 255),
)
def test_sixteen_bits_keep_their_high_byte(samples: npt.NDArray[np.uint16], seed: int) -> None:
    wanted = np.repeat((samples >> 8).astype(np.uint8)[..., None], 3, axis=2)
    assert furthest(decode(png16(samples, 0)).pixels, wanted) <= 1
    for order in ("<u2", ">u2"):
        assert furthest(decode(encoded(Image.fromarray(samples.astype(order)), "TIFF")).pixels, wanted) <= 1
    colour = np.stack([samples, samples[::-1], samples ^ np.uint16(seed << 8)], axis=-1)
    assert furthest(decode(png16(colour, 2)).pixels, (colour >> 8).astype(np.uint8)) <= 1
    alpha = np.full((*samples.shape, 1), seed << 8, np.uint16)
    rgba = decode(png16(np.concatenate([colour, alpha], axis=2), 6))
    assert furthest(rgba.pixels, on_white((colour >> 8).astype(np.uint8), (alpha[..., 0] >> 8).astype(np.uint8))) <= 1
    grey_alpha = decode(png16(np.concatenate([samples[..., None], alpha], axis=2), 4))
    assert furthest(grey_alpha.pixels, on_white(wanted, (alpha[..., 0] >> 8).astype(np.uint8))) <= 1


def test_a_grey_value_that_a_png_calls_transparent_is_white() -> None:
    assert decode(raw_png((2, 1), 8, 0, b"\0\x40\x20", chunk(b"tRNS", b"\0\x20"))).pixels[0, :, 0].tolist() == [64, 255]
    assert decode(raw_png((2, 1), 1, 0, b"\0\x40", chunk(b"tRNS", b"\0\0"))).pixels[0, :, 0].tolist() == [255, 255]
    samples = np.array([[1000, 2000, 2001]], np.uint16)
    picture = decode(png16(samples, 0, chunk(b"tRNS", struct.pack(">H", 2000))))
    assert picture.pixels[0, :, 0].tolist() == [3, 255, 7]


def test_floating_point_pictures_are_refused() -> None:
    data = encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    with pytest.raises(UnsupportedFormat, match="floating-point"):
        decode(data)


def test_only_the_first_frame_counts() -> None:
    first, second = Image.new("RGB", (5, 4), (255, 0, 0)), Image.new("RGB", (5, 4), (0, 0, 255))
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        data = encoded(first, kind, save_all=True, append_images=[second])
        assert furthest(decode(data).pixels, np.asarray(first)) <= 2, kind


# Hostile bytes


def samples() -> dict[str, bytes]:
    image = Image.fromarray(smooth(24, 16))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return {
        "JPEG": encoded(image, "JPEG", exif=exif),
        "progressive": encoded(image, "JPEG", progressive=True),
        "PNG": encoded(image, "PNG", exif=exif),
        "palette": encoded(image.quantize(8), "PNG", transparency=1),
        "lossless": encoded(image, "WEBP", lossless=True),
        "WEBP": encoded(image, "WEBP", exif=exif),
        "BMP": encoded(image, "BMP"),
        "GIF": encoded(image, "GIF"),
        "TIFF": encoded(image, "TIFF", tiffinfo={ORIENTATION: 6}),
        "lzw": encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
    }


SAMPLES = samples()


def survives(data: bytes, enough: int | None = None) -> Picture | None:
    """The picture, or None where the bytes were refused as they should be; any other error passes through."""
    picture: Picture | None
    try:
        picture = decode(data, max_pixels=250_000, enough=enough)
    except InvalidImage as error:
        refusal, picture = str(error), None
    if picture is None:
        assert "\n" not in refusal
        assert 0 < len(refusal) < 300
        return None
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 3
    assert picture.pixels.flags.c_contiguous
    assert 1 <= picture.width * picture.height <= 250_000
    if enough is None:
        assert picture.pixels.shape[:2] == (picture.height, picture.width)
    return picture


def test_every_sample_is_good_before_it_is_damaged() -> None:
    assert all(survives(data) for data in SAMPLES.values())


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    survives(data)


@settings(deadline=None, max_examples=300)
@given(kind=st.sampled_from(sorted(MAGIC)), rest=st.binary(max_size=200), enough=st.sampled_from([None, 8]))
def test_random_bytes_after_a_true_signature_are_refused(kind: str, rest: bytes, enough: int | None) -> None:
    assert sniff(MAGIC[kind] + rest) == kind
    survives(MAGIC[kind] + rest, enough)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_no_truncation_gives_another_error(name: str) -> None:
    data = SAMPLES[name]
    for end in {*range(min(len(data), 120)), *range(120, len(data), 1 + len(data) // 120), len(data) - 1}:
        survives(data[:end])
    assert survives(data[: len(data) // 2]) is None


def test_a_comment_that_inflates_without_end_is_refused() -> None:
    comment = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 3_000_000))
    with pytest.raises(InvalidImage):
        decode(raw_png((2, 1), 8, 0, b"\0\x40\x20", comment))


@settings(deadline=None, max_examples=400)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8),
    enough=st.sampled_from([None, 8]),
)
def test_no_flipped_bits_give_another_error(name: str, flips: list[tuple[float, int]], enough: int | None) -> None:
    data = bytearray(SAMPLES[name])
    for where, bit in flips:
        # Squared: heads matter more than pixels.
        data[int(where**2 * len(data))] ^= 1 << bit
    survives(bytes(data), enough)


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from(sorted(SAMPLES)), where=st.integers(2, 200), put=st.binary(min_size=1, max_size=12))
def test_no_foreign_bytes_give_another_error(name: str, where: int, put: bytes) -> None:
    data = bytearray(SAMPLES[name])
    data[where : where + len(put)] = put
    survives(bytes(data))


# Budgets


def declared(kind: str, width: int, height: int) -> bytes:
    """A tiny file that declares a huge picture."""
    if kind == "PNG":
        return raw_png((width, height), 8, 2, b"\0" * 100)
    if kind == "BMP":
        head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 200, 0, 0, 54) + head + b"\0" * 100
    if kind == "GIF":
        plain = encoded(Image.new("P", (1, 1)), "GIF")
        at = plain.rindex(b",\0\0\0\0") + 5  # the frame's own size too
        size = struct.pack("<HH", width, height)
        return plain[:6] + size + plain[10:at] + size + plain[at + 4 :]
    if kind == "TIFF":
        entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 110), (277, 1), (278, height)]
        entries += [(279, 100)]
        table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
        return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(200)
    if kind == "WEBP":
        plain = bytearray(encoded(Image.new("RGB", (4, 4)), "WEBP", lossless=True))
        at = plain.index(b"VP8L") + 9
        bits = int.from_bytes(plain[at : at + 4], "little") & ~0xFFFFFFF | (width - 1) | (height - 1) << 14
        plain[at : at + 4] = bits.to_bytes(4, "little")
        return bytes(plain)
    plain = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    at = plain.index(b"\xff\xc0") + 5
    plain[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(plain)


HUGE = dict.fromkeys(("PNG", "BMP", "GIF", "TIFF", "JPEG"), (60000, 60000)) | {"WEBP": (16_384, 16_384)}


@pytest.mark.parametrize("kind", sorted(HUGE))
def test_a_declared_huge_picture_is_refused_by_its_declaration(kind: str) -> None:
    with pytest.raises(ImageTooLarge):
        decode(declared(kind, *HUGE[kind]))


@pytest.mark.parametrize("kind", sorted(HUGE))
def test_the_budget_of_pixels_is_exact(kind: str) -> None:
    data = declared(kind, 8_001, 8_000)  # far below Pillow's own limit
    with pytest.raises(ImageTooLarge, match="8001 x 8000"):
        decode(data, max_pixels=8_001 * 8_000 - 1)
    small = encoded(Image.fromarray(smooth(30, 20)), kind)
    assert decode(small, max_pixels=600).width == 30
    with pytest.raises(ImageTooLarge, match="30 x 20"):
        decode(small, max_pixels=599)


_MEASURE = """
import json, sys, time
from pathlib import Path
from sightline.errors import ImageTooLarge
from sightline.images.decode import decode

def peak():
    return next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))

result = {}
for path in map(Path, sys.argv[1:]):
    data = path.read_bytes()
    if path.stem.startswith("small"):
        decode(data)
        continue
    before, best = peak(), 1e9
    for _ in range(5):
        started = time.perf_counter()
        try:
            decode(data)
        except ImageTooLarge:
            best = min(best, time.perf_counter() - started)
    result[path.stem] = {"ms": best * 1000, "kib": peak() - before}
print(json.dumps(result))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_declared_huge_picture_costs_neither_memory_nor_time(tmp_path: Path) -> None:
    paths = []
    for kind, size in HUGE.items():
        for name, data in ((f"small-{kind}", encoded(Image.new("RGB", (8, 8)), kind)), (kind, declared(kind, *size))):
            paths.append(tmp_path / f"{name}.bin")
            paths[-1].write_bytes(data)
    paths.sort(key=lambda path: not path.stem.startswith("small"))  # Pillow's plug-ins are loaded before measuring
    command = [sys.executable, "-W", "ignore", "-c", _MEASURE, *map(str, paths)]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert set(result) == set(HUGE)
    for kind, cost in result.items():
        assert cost["kib"] < 50 * 1024, (kind, cost)
        assert cost["ms"] < 10, (kind, cost)


def test_bytes_are_counted_before_they_are_looked_at(tmp_path: Path) -> None:
    data = SAMPLES["PNG"]
    assert decode(data, max_bytes=len(data)).width == 16
    with pytest.raises(ImageTooLarge, match="bytes"):
        decode(data, max_bytes=len(data) - 1)
    with pytest.raises(ImageTooLarge):
        decode(b"\0" * 11, max_bytes=10)
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    tight = Settings(cache=tmp_path, max_bytes=len(data) - 1)
    for source in (data, path, str(path)):
        with pytest.raises(ImageTooLarge):
            read(source, settings=tight)
    few = Settings(cache=tmp_path, max_pixels=100)
    for image in (data, path, smooth(11, 10), Image.fromarray(smooth(11, 10))):
        with pytest.raises(ImageTooLarge):
            read(image, settings=few)


@settings(deadline=None, max_examples=60)
@given(width=st.integers(1, 260), height=st.integers(1, 260), enough=st.integers(1, 300), orientation=st.integers(1, 8))
def test_enough_never_goes_below_and_keeps_the_size(width: int, height: int, enough: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(Image.new("RGB", (width, height), (90, 120, 150)), "JPEG", exif=exif)
    picture = decode(data, enough=enough)
    upright = (height, width) if orientation >= 5 else (width, height)
    assert (picture.width, picture.height) == upright
    longer = max(picture.pixels.shape[:2])
    assert longer >= min(enough, max(width, height))
    if min(width, height) >= 8 and max(width, height) >= 2 * enough:
        assert longer <= max(width, height) // 2 + 1
        assert picture.reduced
    whole = decode(data)
    assert not whole.reduced
    assert whole.pixels.shape[:2] == upright[::-1]


def test_enough_leaves_other_formats_whole() -> None:
    for kind in ("PNG", "WEBP", "BMP", "TIFF", "GIF"):
        assert not decode(encoded(Image.fromarray(smooth(64, 64)), kind), enough=8).reduced


# Sources


def test_formats_are_sniffed_from_the_bytes(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        data = encoded(Image.fromarray(smooth(8, 8)), kind)
        assert sniff(data) == sniff(memoryview(data)) == kind
        path = tmp_path / "picture.exe"
        path.write_bytes(data)
        assert read(path).format == read(bytearray(data)).format == read(memoryview(data)).format == kind


def test_other_formats_are_refused_even_where_pillow_reads_them() -> None:
    image = Image.fromarray(smooth(8, 8))
    for kind in ("PPM", "TGA", "ICO", "PCX", "JPEG2000", "EPS"):
        with pytest.raises(UnsupportedFormat):
            decode(encoded(image, kind))
    with pytest.raises(UnsupportedFormat):
        decode(b"<svg xmlns='http://www.w3.org/2000/svg'/>")


def test_no_bytes_are_said_to_be_none() -> None:
    for nothing in (b"", bytearray(), memoryview(b"")):
        with pytest.raises(InvalidImage, match="empty"):
            decode(nothing)


def test_all_sources_of_one_picture_agree(tmp_path: Path) -> None:
    pixels = smooth(12, 9)
    data = encoded(Image.fromarray(pixels), "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    for source in (data, path, str(path), pixels, Image.fromarray(pixels), Image.open(path), decode(data)):
        picture = read(source)
        assert np.array_equal(picture.pixels, pixels)
        assert (picture.width, picture.height) == (12, 9)


def test_arrays_of_other_kinds() -> None:
    pixels = smooth(12, 9)
    assert np.array_equal(read(pixels[::-1, ::-1]).pixels, pixels[::-1, ::-1])
    assert read(pixels[::-1, ::-1]).pixels.flags.c_contiguous
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    assert np.array_equal(read(pixels[..., 0]).pixels, grey)
    assert np.array_equal(read(pixels[..., :1]).pixels, grey)
    for wrong in (
        pixels.astype(np.float32),
        pixels.astype(np.int64),
        pixels[..., :2],
        pixels[None],
        pixels[0, 0],
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((3, 3, 5), np.uint8),
    ):
        with pytest.raises(InvalidImage):
            read(wrong)


@pytest.mark.parametrize("wrong", [None, 3, 2.5, [1, 2], object()])
def test_what_is_no_picture_is_said_so(wrong: Any) -> None:
    with pytest.raises(InvalidImage, match=type(wrong).__name__):
        read(wrong)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jpg", tmp_path, str(tmp_path / "a\0b"), tmp_path / ("x" * 5000)):
        with pytest.raises(InvalidImage, match="cannot read"):
            read(path)
    notes = tmp_path / "notes.jpg"
    notes.write_text("not a picture")
    with pytest.raises(UnsupportedFormat):
        read(notes)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless device on this system")
def test_an_endless_file_ends(tmp_path: Path) -> None:
    tracemalloc.start()
    with pytest.raises(ImageTooLarge):
        read("/dev/zero", settings=Settings(cache=tmp_path, max_bytes=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_lazy_pil_image_that_is_damaged_is_invalid() -> None:
    data = encoded(Image.fromarray(smooth(64, 64)), "JPEG")
    with pytest.raises(InvalidImage):
        read(Image.open(io.BytesIO(data[: len(data) - 100])))


def test_reading_changes_nothing_of_the_source() -> None:
    rgba = np.dstack([smooth(8, 8), np.full((8, 8), 100, np.uint8)])
    image = Image.fromarray(rgba.copy())
    read(image)
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image), rgba)


def test_threads_decode_the_same_picture() -> None:
    many = [encoded(Image.fromarray(smooth(160, 120)), kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    wanted = [decode(data, enough=64).pixels for data in many]
    with ThreadPoolExecutor(8) as pool:
        for index, picture in enumerate(pool.map(lambda data: decode(data, enough=64), many * 20)):
            assert np.array_equal(picture.pixels, wanted[index % len(many)])
