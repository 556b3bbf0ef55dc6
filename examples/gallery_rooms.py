"""Studios, rooms, streets and abstract waves of the embedded gallery."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from gallery_light import (
    HEIGHT,
    WIDTH,
    Array,
    U,
    V,
    bokeh,
    glow,
    gradient,
    lens_blur,
    mix,
    noise,
    rgb,
    smooth,
)


def seamless(random: np.random.Generator, wall: str, light: str) -> Array:
    """A paper sweep: a pool of light behind the person, the floor curving up without an edge."""
    tone = 0.16 + 0.84 * glow(0.5, 0.4, 0.62, 2.2)
    tone *= 1 - 0.16 * smooth(0.70, 0.98, V)
    tone += 0.10 * smooth(0.74, 0.82, V) * smooth(1.05, 0.80, V) * glow(0.5, 0.82, 0.9)
    mottle = 0.97 + 0.06 * noise(random, 500, 4)
    return (
        mix(np.broadcast_to(rgb(wall), (HEIGHT, WIDTH, 3)), rgb(light), np.clip(tone, 0, 1))
        * (0.35 + 0.65 * tone * mottle)[..., None]
    )


def studio(random: np.random.Generator) -> Array:
    return seamless(random, "#6d6e70", "#d3d3d1")


def studio_blue(random: np.random.Generator) -> Array:
    return seamless(random, "#123a66", "#8fb9de")


def white(random: np.random.Generator) -> Array:
    tone = 0.80 + 0.18 * glow(0.42, 0.35, 1.1) - 0.07 * smooth(0.74, 1.0, V) * smooth(0.0, 0.9, np.abs(U - 0.5) * 2)
    return (tone * (0.995 + 0.01 * noise(random, 600, 3)))[..., None] * rgb("#fcfcfb")


def blocks(canvas: Array, boxes: list[tuple[float, float, float, float, str, float]]) -> None:
    """Fill boxes (left, top, right, bottom as fractions, colour, strength) in the order given."""
    for left, top, right, bottom, colour, strength in boxes:
        rows = slice(max(0, int(top * HEIGHT)), max(0, int(bottom * HEIGHT)))
        columns = slice(max(0, int(left * WIDTH)), max(0, int(right * WIDTH)))
        canvas[rows, columns] = rgb(colour) * strength


def office(random: np.random.Generator) -> Array:
    image = gradient(V, (0, "#c9c6bf"), (0.66, "#b7b2a8"), (0.67, "#8d7a66"), (1, "#6d5b4a"))
    panes = []
    for column in range(4):  # a window wall with the day behind it
        left = 0.03 + column * 0.148
        panes += [(left, 0.06, left + 0.138, 0.60, "#eaf3fa", 1.7)]
    blocks(image, panes)
    outside = gradient(V, (0, "#cfe6f7"), (0.35, "#f1f6f6"), (0.6, "#c9d6c2"))
    town = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(26):
        x, w, h = random.random() * 0.62, 0.015 + random.random() * 0.04, 0.08 + 0.22 * random.random() ** 2
        town[int((0.6 - h) * HEIGHT) : int(0.6 * HEIGHT), int(x * WIDTH) : int((x + w) * WIDTH)] = (
            0.35 + 0.5 * random.random()
        )
    outside = mix(outside, np.broadcast_to(rgb("#9fb2bf"), outside.shape), town * 0.7)
    for left, top, right, bottom, _, strength in panes:
        view = (slice(int(top * HEIGHT), int(bottom * HEIGHT)), slice(int(left * WIDTH), int(right * WIDTH)))
        image[view] = outside[view] * strength
    blocks(image, [(0.0, 0.315, 0.62, 0.323, "#77787a", 0.8), (0.62, 0.0, 0.64, 0.68, "#a29d94", 0.8)])
    shelf = [(0.70, 0.10, 0.96, 0.64, "#a77d53", 0.55), (0.707, 0.11, 0.953, 0.63, "#4a3625", 0.7)]
    for row in range(4):
        top = 0.115 + row * 0.131
        x = 0.712
        while x < 0.94:
            width = 0.006 + 0.012 * random.random()
            tall = 0.075 + 0.035 * random.random()
            colour = str(
                random.choice(["#e5dccb", "#c65b43", "#2f5d7c", "#d9a441", "#66806a", "#efe9dc", "#3d3f46", "#8f4a3c"])
            )
            if random.random() < 0.82:
                shelf.append((x, top + 0.118 - tall, x + width, top + 0.118, colour, 0.75))
            x += width + 0.001
        shelf.append((0.702, top + 0.118, 0.958, top + 0.128, "#b98d60", 0.7))
    blocks(image, shelf)
    floor = smooth(0.665, 0.68, V)
    image = image * (1 + floor * (glow(0.3, 0.72, 0.5) * 0.9))[..., None]
    desk = []
    for left, top, width in ((0.05, 0.66, 0.26), (0.38, 0.64, 0.2), (0.70, 0.68, 0.28)):
        desk += [
            (left, top, left + width, top + 0.022, "#d8b98f", 0.9),
            (left + 0.015, top + 0.02, left + 0.03, 0.9, "#4b4b4d", 0.5),
        ]
        desk += [(left + width - 0.03, top + 0.02, left + width - 0.015, 0.9, "#4b4b4d", 0.5)]
        desk += [(left + width * 0.3, top - 0.13, left + width * 0.72, top - 0.02, "#1d2126", 0.7)]
        desk += [
            (left + width * 0.32, top - 0.122, left + width * 0.70, top - 0.035, "#6f9fc2", 0.7),
            (left + width * 0.49, top - 0.02, left + width * 0.53, top, "#2c2e31", 0.7),
        ]
        seat = left + width * 0.66  # the back of a chair that stands before the desk, on one leg
        desk += [(seat, top - 0.015, seat + 0.055, top + 0.10, "#39424c", 0.7)]
        desk += [(seat - 0.006, top + 0.12, seat + 0.061, top + 0.14, "#2b3138", 0.7)]
        desk += [(seat + 0.022, top + 0.14, seat + 0.032, top + 0.24, "#55585c", 0.7)]
    blocks(image, desk)
    plant = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(70):
        angle, reach = random.uniform(-2.9, -0.25), random.uniform(60, 190)
        start = np.array([0.655 * WIDTH, 0.60 * HEIGHT])
        end = start + reach * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(
            plant, tuple(start.astype(int).tolist()), tuple(end.astype(int).tolist()), float(random.uniform(0.4, 1)), 13
        )
    leaf = gradient(np.clip(plant, 0, 1), (0, "#27482d"), (0.5, "#3f6e3c"), (1, "#86ab62"))
    image = mix(image, leaf, (plant > 0).astype(np.float32))
    blocks(image, [(0.637, 0.60, 0.673, 0.70, "#e8e2d6", 0.8)])
    image = lens_blur(image, 27)
    lamps = [(x, 0.045 + 0.02 * (i % 2), 30.0, "#fff1d6", 0.55) for i, x in enumerate((0.68, 0.76, 0.84, 0.92))]
    bokeh(image, random, lamps)
    return image + glow(0.3, 0.3, 0.55, 2.4)[..., None] * rgb("#eef6ff") * 0.10


def library(random: np.random.Generator) -> Array:
    image = np.broadcast_to(rgb("#2a1a10"), (HEIGHT, WIDTH, 3)).copy() * 0.5
    inks = [
        "#6e2f28",
        "#8a4b32",
        "#27425a",
        "#3f5a45",
        "#b08d57",
        "#5a4632",
        "#d9cdb4",
        "#44303f",
        "#a3653a",
        "#1f2e3d",
        "#7b7464",
        "#8f3a3a",
    ]
    shelves, columns = 6, (0.0, 0.245, 0.5, 0.755, 1.0)
    for row in range(shelves):
        top, bottom = row / shelves - 0.02, (row + 1) / shelves - 0.045
        for left, right in pairwise(columns):
            x = left + 0.012
            while x < right - 0.016:
                width = 0.0055 + 0.009 * random.random()
                tall = (bottom - top) * (0.66 + 0.26 * random.random())
                if random.random() < 0.05:
                    x += width * 2.5
                    continue
                strength = 0.55 + 0.5 * random.random()
                ink = str(random.choice(inks))
                spine = [
                    (x, bottom - tall, x + width, bottom, ink, strength),
                    (x, bottom - tall, x + width * 0.14, bottom, ink, strength * 0.45),
                ]
                if random.random() < 0.6:
                    for band in (0.16, 0.78):
                        y = bottom - tall * (1 - band)
                        spine.append((x + width * 0.12, y, x + width * 0.95, y + 0.005, "#d7b56d", 0.9))
                blocks(image, spine)
                x += width + 0.0004
        shade = np.exp(-np.clip(V - top, 0, 1) / 0.035) * ((top < V) & (bottom > V))
        image *= (1 - 0.7 * shade)[..., None]
        blocks(image, [(0, bottom, 1, bottom + 0.022, "#8a5a34", 0.75), (0, bottom, 1, bottom + 0.004, "#c98f58", 0.9)])
    for place in columns:
        blocks(
            image,
            [
                (place - 0.011, 0, place + 0.011, 1, "#7d4f2d", 0.65),
                (place - 0.011, 0, place - 0.007, 1, "#b67f4d", 0.8),
            ],
        )
    light = 0.32 + 1.15 * glow(0.27, 0.22, 0.42) + 0.8 * glow(0.80, 0.34, 0.34)
    image = lens_blur(image * light[..., None], 20)
    warm = (
        glow(0.27, 0.2, 0.3)[..., None] * rgb("#ffc681") * 0.10
        + glow(0.8, 0.32, 0.24)[..., None] * rgb("#ffc681") * 0.07
    )
    return image + warm


def city(random: np.random.Generator) -> Array:
    image = gradient(V, (0, "#0a1020"), (0.45, "#1b2340"), (0.62, "#4a3a4d"), (0.68, "#2a2330"), (1, "#0c0d14"))
    for depth, tone in ((0.0, "#2b2d47"), (0.5, "#1c1e33"), (1.0, "#10121f")):
        x = -0.02
        while x < 1.02:
            width, top = (
                0.04 + 0.08 * random.random(),
                0.62 - (0.12 + 0.42 * random.random() ** 1.6) * (0.6 + 0.5 * depth),
            )
            blocks(image, [(x, top, x + width, 0.66, tone, 1.0)])
            lit, y = float(random.choice([0.12, 0.25, 0.4])), top + 0.012
            while y < 0.64:
                for window in np.arange(x + 0.004, x + width - 0.005, 0.0085):
                    if random.random() < lit:
                        colour = str(random.choice(["#ffd08a", "#ffe6bd", "#ffb765", "#cfe3ff"]))
                        blocks(
                            image,
                            [(float(window), y, float(window) + 0.005, y + 0.009, colour, 0.6 + 1.6 * random.random())],
                        )
                y += 0.019
            x += width * (0.8 + 0.5 * random.random())
    image = lens_blur(image, 15)
    lights = []
    for _ in range(150):
        near = random.random()
        colour = str(
            random.choice(
                ["#ffb45a", "#ffd9a0", "#ff6b4a", "#fff2da", "#6fb7ff", "#ff4f6d", "#59e0c5"],
                p=[0.3, 0.24, 0.12, 0.16, 0.08, 0.06, 0.04],
            )
        )
        y = 0.66 + 0.24 * near**1.5 + random.normal(0, 0.012)
        lights.append(
            (random.random(), y, 13 + 40 * near**1.2, colour, (0.10 + 0.5 * random.random() ** 2) * (1 - 0.45 * near))
        )
    for _ in range(40):
        lights.append(
            (
                random.random(),
                0.30 + 0.34 * random.random(),
                14 + 12 * random.random(),
                str(random.choice(["#ffcf8f", "#ffe9c9", "#9cc7ff"])),
                0.10 + 0.2 * random.random(),
            )
        )
    bokeh(image, random, lights)
    street = cv2.GaussianBlur(image[int(0.60 * HEIGHT) : int(0.78 * HEIGHT)][::-1], (0, 0), 22, sigmaY=60)
    wet = cv2.resize(street, (WIDTH, HEIGHT - int(0.76 * HEIGHT)))
    along = np.linspace(0, 1, len(wet), dtype=np.float32)[:, None, None]
    image[int(0.76 * HEIGHT) :] += wet * 0.5 * smooth(0, 0.25, along) * (1 - 0.7 * along)
    return image + np.exp(-(((V - 0.64) / 0.16) ** 2))[..., None] * rgb("#ff9e5e") * 0.05


def abstract(random: np.random.Generator) -> Array:
    flow = noise(random, 900, 2, 1.4)
    image = gradient(
        np.clip(0.72 * V + 0.28 * U + 0.25 * (flow - 0.5), 0, 1),
        (0, "#16275c"),
        (0.38, "#4b4aa8"),
        (0.68, "#b465a8"),
        (1, "#f3a487"),
    )
    for index in range(6):  # translucent sheets, each with a soft shadow on what lies behind
        share = index / 5
        wave = (
            0.22 + 0.15 * index + 0.09 * np.sin(U * (3.1 + share) + 1.7 * index) + 0.05 * np.sin(U * 6.3 - index * 0.9)
        )
        below = V - wave
        image = image * (1 - 0.22 * np.exp(-np.clip(-below, 0, 1) / 0.035) * (below < 0))[..., None]
        sheet = gradient(np.clip(U * 0.8 + share * 0.4, 0, 1), (0, "#2b3d86"), (0.5, "#9a5cb0"), (1, "#ffb08c"))
        lit = 0.8 + 0.5 * np.exp(-np.clip(below, 0, 1) / 0.10)
        image = mix(image, sheet * lit[..., None], smooth(-0.0007, 0.0007, below) * 0.42)
    return image + glow(0.8, 0.15, 0.5)[..., None] * rgb("#ffd9b8") * 0.12
