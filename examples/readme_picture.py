"""Draws the README's picture from real answers: faces found, background replaced, people compared.

python examples/readme_picture.py docs/answers.jpg
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from PIL import Image

import sightline

SAMPLES = Path(str(resources.files("sightline"))) / "web" / "samples"
HEIGHT, GAP = 420, 12


def main(out: str) -> None:
    astronaut, mirrored, admiral = (
        SAMPLES / name for name in ("astronaut.jpg", "astronaut-mirrored.jpg", "admiral.jpg")
    )
    faces = sightline.load("faces")
    background = sightline.load("background")
    similarity = sightline.load("similarity")
    compared = similarity(astronaut, mirrored, admiral)
    panels = [
        faces(astronaut).draw(astronaut),
        background(astronaut, query="sunset").draw(astronaut),
        similarity.drawing(compared, {"anchor": astronaut, "img1": mirrored, "img2": admiral}),
    ]
    scaled = [panel.convert("RGB").resize((panel.width * HEIGHT // panel.height, HEIGHT)) for panel in panels]
    sheet = Image.new("RGB", (sum(p.width for p in scaled) + GAP * (len(scaled) - 1), HEIGHT), "white")
    left = 0
    for panel in scaled:
        sheet.paste(panel, (left, 0))
        left += panel.width + GAP
    sheet.save(out, quality=88)


if __name__ == "__main__":
    main(sys.argv[1])
