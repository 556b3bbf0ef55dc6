"""The pictures that the benchmarks send, and the raw HTTP requests made of them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "src" / "sightline" / "web" / "samples"
LONGEST = 1280
NAMES = ("astronaut", "admiral", "astronaut-mirrored")


def photos() -> list[bytes]:
    """The sample portraits on a plain 3:2 canvas 1280 pixels wide: JPEG, quality 90."""
    return [_on_canvas(SAMPLES / f"{name}.jpg") for name in NAMES]


def crops(side: int = 48) -> list[bytes]:
    """The faces of the samples, cut out to `side` x `side`: PNG, so that nothing is lost."""
    import sightline
    from sightline.images.decode import read

    task = sightline.load("emotion")
    out = []
    for name in NAMES:
        picture = read(SAMPLES / f"{name}.jpg")
        face = max(task.detector.detect(picture.pixels), key=lambda found: found.box.area)
        cut = Image.fromarray(task.crop(picture.pixels, face)).resize((side, side))
        out.append(_encoded(cut, "PNG"))
    return out


def multipart(path: str, parts: dict[str, bytes | str], *, headers: tuple[str, ...] = ()) -> bytes:
    """A whole POST request with a multipart body: bytes are files, texts are fields."""
    boundary = "benchmark-boundary-7c1f"
    body = bytearray()
    for name, value in parts.items():
        if isinstance(value, bytes):
            body += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.jpg"\r\n'
                "Content-Type: image/jpeg\r\n\r\n"
            ).encode()
            body += value + b"\r\n"
        else:
            body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    body += f"--{boundary}--\r\n".encode()
    return post(path, bytes(body), f"multipart/form-data; boundary={boundary}", headers)


def post(path: str, body: bytes, content_type: str, headers: tuple[str, ...] = ()) -> bytes:
    """A whole POST request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _on_canvas(path: Path) -> bytes:
    height = LONGEST * 2 // 3
    with Image.open(path) as portrait:
        scaled = portrait.convert("RGB").resize((round(portrait.width * height / portrait.height), height))
    canvas = Image.new("RGB", (LONGEST, height), scaled.getpixel((2, 2)))
    canvas.paste(scaled, ((LONGEST - scaled.width) // 2, 0))
    return _encoded(canvas, "JPEG", quality=90)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
