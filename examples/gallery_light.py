"""The optics of the embedded gallery: gradients, fractal noise, glows, lenses and the film.

Scenes work in linear light (float32, RGB, 0..1 before the exposure), so that glows add up and blurs behave as a
lens does; `develop` makes a photograph of it: exposure, a filmic shoulder, sRGB, vignette and a little grain,
which also keeps skies from banding.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
WIDTH, HEIGHT = 1920, 1280
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
U, V = X / WIDTH, Y / HEIGHT


def rgb(text: str) -> Array:
    """`#rrggbb` in linear light."""
    value = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def gradient(position: Array, *stops: tuple[float, str]) -> Array:
    """Colours along a position, linearly between the stops."""
    places = [place for place, _ in stops]
    colours = np.stack([rgb(colour) for _, colour in stops])
    return np.stack([np.interp(position, places, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def noise(
    random: np.random.Generator, scale: float, octaves: int = 6, stretch: float = 1.0, fall: float = 0.5
) -> Array:
    """Fractal noise (fBm), 0..1: cubic-interpolated random grids, each octave finer and weaker. `scale` in pixels."""
    total, weight, sum_ = np.zeros((HEIGHT, WIDTH), np.float32), 1.0, 0.0
    for _ in range(octaves):
        columns, rows = int(WIDTH / (scale * stretch)) + 4, int(HEIGHT / scale) + 4
        grid = random.random((rows, columns), dtype=np.float32)
        size = (max(WIDTH, int(columns * scale * stretch)), max(HEIGHT, int(rows * scale)))
        total += weight * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[:HEIGHT, :WIDTH]
        sum_, weight, scale = sum_ + weight, weight * fall, scale / 2
        if scale < 2:
            break
    total /= sum_
    low, high = np.percentile(total[::8, ::8], (1, 99))
    return np.clip((total - low) / (high - low), 0, 1).astype(np.float32)


def line(random: np.random.Generator, length: float, octaves: int = 8, fall: float = 0.5) -> Array:
    """A ragged line, one value a column, -1..1."""
    total, weight, sum_ = np.zeros(WIDTH, np.float32), 1.0, 0.0
    for _ in range(octaves):
        knots = random.uniform(-1, 1, int(WIDTH / length) + 4)
        total += weight * np.interp(np.arange(WIDTH) / length, np.arange(len(knots)), knots)
        sum_, weight, length = sum_ + weight, weight * fall, max(2.0, length / 2)
    return (total / sum_).astype(np.float32)


def smooth(low: float, high: float, value: Array) -> Array:
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(under: Array, over: Array, share: Array | float) -> Array:
    share = np.asarray(share, np.float32)
    if share.ndim == 2:
        share = share[..., None]
    return (under * (1 - share) + over * share).astype(np.float32)


def glow(x: float, y: float, radius: float, power: float = 2.0) -> Array:
    """A soft light around a point (fractions of the width and height), 1 in its middle."""
    distance = np.hypot((U - x) * WIDTH / HEIGHT, V - y) / radius
    return (1 / (1 + distance**power)).astype(np.float32)


def lens_blur(image: Array, radius: int) -> Array:
    """Out of focus: every point becomes a disc with a slightly brighter rim, as a lens draws it."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    distance = np.hypot(x, y)
    disc = np.clip(radius + 0.5 - distance, 0, 1) * (0.85 + 0.3 * (distance / radius) ** 4)
    return cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)


def bokeh(canvas: Array, random: np.random.Generator, lights: list[tuple[float, float, float, str, float]]) -> None:
    """Add lights out of focus: (x, y, radius in pixels, colour, strength), each a disc with a soft edge and rim."""
    for x, y, radius, colour, strength in lights:
        cx, cy, reach = x * WIDTH, y * HEIGHT, int(radius) + 4
        left, right = max(0, int(cx) - reach), min(WIDTH, int(cx) + reach)
        top, bottom = max(0, int(cy) - reach), min(HEIGHT, int(cy) + reach)
        if left >= right or top >= bottom:
            continue
        distance = np.hypot(X[top:bottom, left:right] - cx, Y[top:bottom, left:right] - cy)
        disc = smooth(radius + 1.5, radius - 1.5, distance) if radius > 2 else np.exp(-((distance / radius) ** 2))
        disc *= 0.8 + 0.25 * smooth(radius * 0.75, radius * 0.97, distance) + random.normal(0, 0.02)
        canvas[top:bottom, left:right] += disc[..., None] * rgb(colour) * strength


def develop(
    light: Array, random: np.random.Generator, exposure: float = 1.0, grain: float = 1.6, vignette: float = 0.25
) -> npt.NDArray[np.uint8]:
    """Linear light into a photograph."""
    fall = 1 - vignette * ((U - 0.5) ** 2 + (V - 0.5) ** 2) * 2
    x = np.maximum(light * exposure * fall[..., None], 0)
    # Straight up to 0.7, then a shoulder: highlights glow out instead of clipping.
    knee = 0.7
    x = np.where(x > knee, knee + (1 - knee) * (1 - np.exp(-(x - knee) / (1 - knee))), x)
    srgb = np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055) * 255
    film = random.normal(0, grain, (HEIGHT, WIDTH, 1)) + random.normal(0, grain * 0.3, (HEIGHT, WIDTH, 3))
    return np.clip(srgb + film + 0.5, 0, 255).astype(np.uint8)
