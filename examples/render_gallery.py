"""Render the embedded gallery of backgrounds: `python examples/render_gallery.py [FOLDER [SCENE...]]`.

Nothing but arithmetic on a fixed seed (NumPy and OpenCV): the pictures belong to nobody.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import gallery_nature as nature
import gallery_rooms as rooms
import numpy as np
from gallery_light import Array, develop
from PIL import Image

SCENES: dict[str, tuple[Callable[[np.random.Generator], Array], dict[str, float]]] = {
    "studio": (rooms.studio, {"grain": 1.3}),
    "studio-blue": (rooms.studio_blue, {"grain": 1.3}),
    "white": (rooms.white, {"grain": 0.7, "vignette": 0.04}),
    "sunset": (nature.sunset, {}),
    "night-sky": (nature.night, {"exposure": 1.25}),
    "mountains": (nature.mountains, {}),
    "sea": (nature.sea, {"vignette": 0.12}),
    "forest": (nature.forest, {}),
    "office": (rooms.office, {"exposure": 0.95}),
    "library": (rooms.library, {}),
    "city-night": (rooms.city, {"exposure": 1.15}),
    "abstract": (rooms.abstract, {"grain": 1.2}),
}


def main(folder: Path, only: list[str]) -> None:
    for name, (scene, film) in SCENES.items():
        if only and name not in only:
            continue
        random = np.random.default_rng(zlib.crc32(name.encode()))  # a scene's own seed: none changes another
        image = Image.fromarray(develop(scene(random), random, **film))
        path = folder / f"{name}.jpg"
        for quality in (88, 85, 82, 78, 74, 70):
            image.save(path, quality=quality, optimize=True, progressive=True)
            if path.stat().st_size < 250_000:
                break
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB at quality {quality}")


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "src/sightline/backgrounds/gallery"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default, sys.argv[2:])
