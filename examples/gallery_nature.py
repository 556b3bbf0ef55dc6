"""Skies, water, mountains and trees of the embedded gallery."""

from __future__ import annotations

import cv2
import numpy as np
from gallery_light import (
    HEIGHT,
    WIDTH,
    Array,
    U,
    V,
    X,
    Y,
    bokeh,
    glow,
    gradient,
    line,
    mix,
    noise,
    rgb,
    smooth,
)


def clouds(random: np.random.Generator, horizon: float, scale: float = 300.0) -> Array:
    """Cloud cover 0..1 of a sky seen in perspective: flatter and finer towards the horizon."""
    field = noise(random, scale, 8, 2.6, 0.55)
    depth = np.clip(horizon - V, 0.012, None)
    map_y = np.clip(0.16 / depth * 160, 0, HEIGHT - 1)
    map_x = (U - 0.5) * WIDTH * np.clip(0.30 / (depth + 0.16), 0.4, 1.6) + WIDTH / 2
    return cv2.remap(field, np.clip(map_x, 0, WIDTH - 1), map_y.astype(np.float32), cv2.INTER_LINEAR)


def water(random: np.random.Generator, sky: Array, horizon: float, calm: float = 1.0) -> tuple[Array, Array]:
    """The sky mirrored in waves that shrink with distance, down to the horizon; and the waves, about -0.5..0.5."""
    depth = np.clip(V - horizon, 0.0015, None)
    far = 0.05 / (depth + 0.02)
    field = noise(random, 46, 6, 5.0, 0.62)
    map_y = np.clip(np.log(depth / 0.0015) * 215, 0, HEIGHT - 1).astype(np.float32)
    map_x = np.clip((U - 0.5) * WIDTH / (0.55 + 0.9 * depth) * 0.42 + WIDTH / 2, 0, WIDTH - 1).astype(np.float32)
    wave = cv2.remap(field, map_x, map_y, cv2.INTER_LINEAR) - 0.5
    reach = (depth * 1.15 + 0.01 + wave * calm * (0.30 + 0.4 * depth)) * HEIGHT
    source_y = np.clip(horizon * HEIGHT - np.abs(reach), 0, HEIGHT - 1).astype(np.float32)
    source_x = np.clip(X + wave * 60 * calm, 0, WIDTH - 1).astype(np.float32)
    mirrored = cv2.remap(sky, source_x, source_y, cv2.INTER_LINEAR)
    # Fresnel: flat glances mirror, steep ones look into the dark of the water.
    share = 0.35 + 0.6 * np.clip(far, 0, 1) + 0.22 * wave
    return mirrored * np.clip(share, 0.05, 1)[..., None], wave


def sunset(random: np.random.Generator) -> Array:
    horizon, sun = 0.62, (0.66, 0.565)
    sky = gradient(V / horizon, (0, "#1d2c55"), (0.35, "#56507f"), (0.62, "#b5677a"), (0.84, "#ee9159"), (1, "#ffd08a"))
    sky = sky + glow(*sun, 0.16, 1.7)[..., None] * rgb("#ffb45e") * 1.1
    cover = smooth(0.42, 0.85, clouds(random, horizon + 0.02)) * smooth(0.62, 0.2, V) * 0.9
    near = glow(*sun, 0.42, 2)
    lit = mix(np.broadcast_to(rgb("#4d3f66"), sky.shape), rgb("#ff9a5e"), np.clip(near * 1.1, 0, 1))
    edge = smooth(0.0, 0.5, cover) * smooth(1.0, 0.4, cover)
    sky = mix(sky, lit * (0.7 + 0.9 * edge * near)[..., None], cover * 0.8)
    disc = smooth(0.034, 0.030, np.hypot((U - sun[0]) * 1.5, V - sun[1]))
    sky = sky + disc[..., None] * rgb("#fff0c4") * 2.2
    mirrored, wave = water(random, sky, horizon)
    sea = mirrored * rgb("#dfe0ee") + rgb("#141d33") * 0.35
    down = np.clip(V - horizon, 0, 1)  # the sun's glitter: a path of wave tops towards the viewer
    path = np.exp(-(((U - sun[0]) / (0.016 + 0.20 * down)) ** 2)) * np.exp(-down / 0.20)
    sparkle = smooth(0.02, 0.22, wave + 0.10 * np.exp(-down / 0.05)) * path * np.exp(-((down / 0.17) ** 2))
    sea = sea + sparkle[..., None] * rgb("#ffd79a") * 1.5 + path[..., None] * rgb("#ff9c5a") * 0.22
    image = mix(sky, sea, smooth(horizon - 0.0006, horizon + 0.0006, V))
    return image + (np.exp(-(((V - horizon) / 0.02) ** 2)) * 0.12)[..., None] * rgb("#ffc48a")


def ridge(random: np.random.Generator, base: float, height: float, length: float, fall: float = 0.52) -> Array:
    """How far below a mountain's outline each pixel lies (fractions of the height); negative is sky."""
    return V - (base - height * (0.5 + 0.5 * line(random, length, 9, fall)))[None, :]


def night(random: np.random.Generator) -> Array:
    sky = gradient(V, (0, "#050915"), (0.45, "#0d1a35"), (0.72, "#24395c"), (0.85, "#48607a"))
    along = (U - 0.5) * 0.78 + (V - 0.42)
    across = ((U - 0.5) * 1.5 * 0.6 - (V - 0.42) * 0.9) + 0.10
    dust = noise(random, 260, 7, 1.0, 0.6)
    band = np.exp(-((across / (0.13 + 0.05 * along)) ** 2)) * smooth(0.98, 0.45, V)
    lanes = smooth(0.42, 0.72, dust) * np.exp(-(((across + 0.015) / 0.07) ** 2))
    milk = band * (0.45 + 0.8 * noise(random, 180, 7)) * (1 - 0.8 * lanes)
    sky = sky + (milk * 0.16)[..., None] * mix(
        np.broadcast_to(rgb("#a9c0f0"), sky.shape), rgb("#ffdcb8"), np.clip(band, 0, 1)
    )
    sky += (noise(random, 300, 5) * band * 0.018)[..., None] * rgb("#d678b8")
    stars = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    density = np.clip(0.25 + band * (1 - 0.75 * lanes) * 1.4, 0, 1)
    for count, low, high, size in ((9000, 0.03, 0.22, 0.75), (1500, 0.2, 0.8, 0.95), (110, 0.8, 2.4, 1.45)):
        xs, ys = random.random(count), random.random(count) * 0.84
        keep = random.random(count) < density[(ys * HEIGHT).astype(int), (xs * WIDTH).astype(int)]
        tints = random.choice(["#cfdcff", "#ffffff", "#ffeacc", "#ffd2a8"], count, p=[0.4, 0.35, 0.17, 0.08])
        power = low + (high - low) * random.random(count) ** 3
        lights = [(x, y, size, t, p) for x, y, t, p, k in zip(xs, ys, tints, power, keep, strict=True) if k]
        bokeh(stars, random, lights)
    sky += stars + cv2.GaussianBlur(stars, (0, 0), 4) * 0.9
    for base, high, length, colour in (
        (0.86, 0.20, 560, "#22344f"), (0.92, 0.19, 420, "#131f33"), (1.02, 0.24, 640, "#080d18"),
    ):  # fmt: skip
        below = ridge(random, base, high, length)
        haze = np.exp(-np.clip(below, 0, 1) / 0.09) * 0.30
        slope = mix(np.broadcast_to(rgb(colour), sky.shape), rgb("#48607a"), haze * (1 if base < 1 else 0.25))
        sky = mix(sky, slope, smooth(-0.0008, 0.0008, below))
    return sky


def mountains(random: np.random.Generator) -> Array:
    image = gradient(V, (0, "#4b84bd"), (0.35, "#94b9da"), (0.62, "#e2e3df"), (0.7, "#f6e7cf"))
    cover = smooth(0.5, 0.95, clouds(random, 0.62, 260)) * smooth(0.55, 0.1, V)
    image = mix(image, np.broadcast_to(rgb("#ffffff"), image.shape), cover * 0.75)
    image = image + glow(0.2, 0.4, 0.3)[..., None] * rgb("#ffe3b4") * 0.35
    layers = 8
    for index in range(layers):
        near = index / (layers - 1)
        below = ridge(random, 0.58 + 0.46 * near**1.15, 0.34 - 0.16 * near, 520 - 120 * near, 0.47 + 0.05 * near)
        body = gradient(
            np.full_like(V, near), (0, "#a3bcd2"), (0.3, "#7094b4"), (0.6, "#3f6382"), (0.85, "#21405a"), (1, "#132636")
        )
        # Morning light catches the upper slopes from the left; mist fills the valleys between the ranges.
        lit = (
            np.exp(-np.clip(cv2.GaussianBlur(below, (0, 0), 25, sigmaY=2), 0, 1) / 0.05)
            * smooth(0.9, 0.0, U)
            * (0.35 - 0.25 * near)
        )
        body = mix(body, np.broadcast_to(rgb("#ffdcae"), body.shape), lit)
        valley = cv2.GaussianBlur(below, (0, 0), 80, sigmaY=2)  # mist does not follow every crag
        mist = smooth(0.03, 0.24, valley + 0.05 * (noise(random, 320, 5, 3.0) - 0.5)) * (0.85 - 0.45 * near)
        body = mix(body, np.broadcast_to(rgb("#e3e6e4"), body.shape), mist)
        image = mix(image, body, smooth(-0.0008, 0.0008, below))
    return image


def sea(random: np.random.Generator) -> Array:
    horizon, shore = 0.47, 0.80
    sky = gradient(V / horizon, (0, "#2f7fc4"), (0.5, "#79b5e2"), (1, "#d9ecf4"))
    cover = smooth(0.52, 0.92, clouds(random, horizon + 0.02, 280)) * smooth(0.46, 0.25, V)
    sky = mix(sky, np.broadcast_to(rgb("#ffffff"), sky.shape), cover * 0.8)
    depth = (V - horizon) / (shore - horizon)
    body = gradient(depth, (0, "#1a6795"), (0.35, "#1f8fb0"), (0.7, "#45bcc0"), (0.93, "#9adccb"), (1, "#c8e8d8"))
    body = body * 0.72 + water(random, sky, horizon, 0.6)[0] * 0.30
    image = mix(sky, body, smooth(horizon - 0.0006, horizon + 0.0006, V))
    wander = 0.014 * line(random, 700, 4)[None, :] + 0.004 * line(random, 130, 5)[None, :]
    for place, strength in ((0.62, 0.35), (0.70, 0.6), (0.755, 0.8)):  # breakers, parallel to the shore
        crest = V - place - wander * 1.1 - 0.008 * line(random, 240, 5)[None, :]
        foam = np.exp(-np.clip(crest, 0, 1) / 0.010) * smooth(-0.004, 0.001, crest)
        foam *= smooth(0.35, 0.65, noise(random, 34, 5, 4.0, 0.6)) * smooth(0.3, 0.7, noise(random, 420, 3, 2.0))
        image = mix(image, np.broadcast_to(rgb("#f7fcfa"), image.shape), np.clip(foam * strength * 1.3, 0, 0.95))
    sand = gradient((V - shore) / (1 - shore), (0, "#b89d78"), (0.16, "#c9ae88"), (0.38, "#e5d0ab"), (1, "#f0dfc0"))
    sand = sand * (0.92 + 0.12 * noise(random, 60, 6, 3.0, 0.7) + 0.05 * noise(random, 5, 2))[..., None]
    edge = V - shore - wander * 1.6
    image = mix(image, sand, smooth(-0.002, 0.004, edge))
    lace = np.exp(-((edge / 0.006) ** 2)) * smooth(0.25, 0.6, noise(random, 22, 4, 2.5, 0.6))
    return mix(image, np.broadcast_to(rgb("#ffffff"), image.shape), np.clip(lace * 0.95, 0, 1))


def fir(canvas: Array, x: float, foot: float, height: float, random: np.random.Generator) -> None:
    """Draw one fir into a mask, as tiers of drooping, ragged branches."""
    tiers = max(10, int(height / 14))
    points_left, points_right = [], []
    for tier in range(tiers):
        share = tier / tiers
        y = foot - height + height * share
        reach = height * 0.004 + height * 0.21 * share**0.82 * (0.72 + 0.4 * random.random())
        inner = reach * (0.42 + 0.1 * random.random())
        points_left += [(x - inner, y), (x - reach, y + height / tiers * (0.9 + 0.5 * random.random()))]
        reach *= 0.8 + 0.4 * random.random()
        points_right += [(x + inner, y), (x + reach, y + height / tiers * (0.9 + 0.5 * random.random()))]
    outline = [(x, foot - height * 1.005), *points_right, (x, foot), *reversed(points_left)]
    cv2.fillPoly(canvas, [(np.array(outline) * 8).astype(np.int32)], 1.0, cv2.LINE_8, 3)
    cv2.rectangle(
        canvas, (int(x - height * 0.012), int(foot - height * 0.2)), (int(x + height * 0.012), HEIGHT), 1.0, -1
    )


def forest(random: np.random.Generator) -> Array:
    image = (
        gradient(V, (0, "#b9cdd0"), (0.5, "#dfe5d8"), (1, "#c4cfc0"))
        + glow(0.62, 0.22, 0.36)[..., None] * rgb("#fff0cf") * 0.5
    )
    layers = 7
    for index in range(layers):
        near = index / (layers - 1)
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        ground = (0.60 + 0.34 * near) * HEIGHT + line(random, 500, 5) * 40
        height = 250 + 720 * near**1.5
        step = 34 + 150 * near**1.3
        x = -step * random.random()
        while x < WIDTH + step:
            middle = (
                np.exp(-(((x / WIDTH - 0.55) / 0.26) ** 2)) * near
            )  # a clearing, so that there is depth to look into
            if random.random() > middle * 0.93:
                foot = float(ground[int(np.clip(x, 0, WIDTH - 1))])
                fir(mask, x, foot, height * (0.62 + 0.6 * random.random()) * (1 - 0.45 * middle), random)
            x += step * (0.45 + 0.95 * random.random())
        mask = np.maximum(mask, smooth(-3, 3, Y - ground[None, :]))
        mask = cv2.GaussianBlur(mask, (0, 0), 0.8 + 0.5 * near)
        tone = gradient(np.full_like(V, near), (0, "#b3c4bf"), (0.35, "#80998f"), (0.7, "#40594c"), (1, "#16261d"))
        needles = noise(random, 26 + 20 * near, 5, 0.7, 0.7)
        tone = tone * (1 + (needles - 0.5) * (0.12 + 0.75 * near))[..., None]
        rise = np.clip((Y - ground[None, :] + height * 0.75) / (height * 0.85), 0, 1)
        mist = rise**1.6 * (0.85 - 0.62 * near) * (0.75 + 0.4 * noise(random, 380, 4, 2.5))
        tone = mix(tone, np.broadcast_to(rgb("#dbe3da"), tone.shape), np.clip(mist, 0, 0.96))
        image = mix(image, tone, mask)
    rays = noise(random, 26, 3, 0.4)[HEIGHT // 2]
    angle = np.arctan2(V + 0.35, (U - 0.66) * 1.5)
    beam = np.interp(angle.ravel(), np.linspace(0, np.pi, WIDTH), cv2.GaussianBlur(rays[None], (0, 0), 12)[0]).reshape(
        V.shape
    )
    beam = smooth(0.5, 0.95, beam.astype(np.float32)) * glow(0.62, 0.2, 0.5) * smooth(0.95, 0.4, V)
    return image + beam[..., None] * rgb("#fff1cc") * 0.30
