"""Class folders out of other data, to measure labels learnt from a handful of pictures.

    python benchmarks/class_folders.py objects ../shared/data OUT
    sightline train classify --data OUT/train --out runs/objects --head logistic
    sightline evaluate classify --data OUT/test --model runs/objects --json

writes `OUT/train/LABEL/*` and `OUT/test/LABEL/*`; what none of the labels fits is in `OUT/test/none_of_these`.

objects  the squares around COCO objects (coco_mini) whose shorter side has at least 48 pixels. Every other picture by
         name is for testing, with all its objects. Labels are the kinds in at least four pictures, two crops to learn
         from and one to test on; other kinds of the test pictures are none of these. Twelve crops of a kind at most.
people   ORL's faces: of the first 20 people five pictures to learn from and five to test on; the other 20 are none.
kinds    chest X-rays, portraits and small grey faces: eight pictures each to learn from, 100 to test on; the photos of
         coco_mini are none of these.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from PIL import Image

LEAST, PICTURES, AROUND, MOST = 48, 4, 1.1, 12
NONE = "none_of_these"


def crop(picture: Image.Image, box: list[float]) -> Image.Image:
    """The square around `box` (x, y, width, height), a little larger, as far as the picture goes."""
    x, y, width, height = box
    half = max(width, height) * AROUND / 2
    middle_x, middle_y = x + width / 2, y + height / 2
    edges = (middle_x - half, middle_y - half, middle_x + half, middle_y + half)
    limits = (picture.width, picture.height, picture.width, picture.height)
    return picture.crop(tuple(round(min(max(edge, 0), limit)) for edge, limit in zip(edges, limits, strict=True)))


def objects(data: Path, out: Path) -> None:
    table = json.loads((data / "coco_mini" / "instances.json").read_text())
    kinds = {kind["id"]: kind["name"] for kind in table["categories"]}
    files = {image["id"]: image["file_name"] for image in table["images"]}
    testing = {image for index, image in enumerate(sorted(files, key=lambda number: files[number])) if index % 2}
    seen: dict[str, set[int]] = defaultdict(set)
    parts: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for note in table["annotations"]:
        if not note.get("iscrowd") and min(note["bbox"][2:]) >= LEAST:
            kind, image = kinds[note["category_id"]], note["image_id"]
            seen[kind].add(image)
            parts[kind, "test" if image in testing else "train"].append(note)
    known = {
        kind for kind in seen if len(seen[kind]) >= PICTURES and len(parts[kind, "train"]) >= 2 and parts[kind, "test"]
    }
    for (kind, side), notes in sorted(parts.items()):
        if kind not in known and side == "train":
            continue
        folder = out / side / (kind if kind in known else NONE)
        folder.mkdir(parents=True, exist_ok=True)
        for note in notes[:MOST]:  # otherwise people are most of it
            with Image.open(data / "coco_mini" / "images" / files[note["image_id"]]) as picture:
                crop(picture.convert("RGB"), note["bbox"]).save(folder / f"{note['id']}.jpg", quality=95)


def people(data: Path, out: Path) -> None:
    for folder in sorted((data / "faces" / "orl").glob("s*"), key=lambda path: int(path.name[1:])):
        known = int(folder.name[1:]) <= 20
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            learnt = int(path.stem) % 2 == 1
            if known or not learnt:
                label = folder.name if known else NONE
                _copy(path, out / ("train" if learnt else "test") / label / f"{folder.name}-{path.stem}.png")


def kinds(data: Path, out: Path) -> None:
    folders = {
        "chest X-ray": data / "lungs" / "images",
        "portrait": data / "portraits" / "images",
        "grey face": data / "expressions" / "valid" / "neutral",
    }
    for label, folder in folders.items():
        for index, path in enumerate(sorted(folder.iterdir())[::3][:108]):
            _copy(path, out / ("train" if index < 8 else "test") / label / f"{path.stem}.png")
    for path in sorted((data / "coco_mini" / "images").iterdir()):
        _copy(path, out / "test" / NONE / f"{path.stem}.png")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").save(target)


SETS = {"objects": objects, "people": people, "kinds": kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("data", type=Path, help="the folder of research data")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    for side in ("train", "test"):
        if (given.out / side).exists():
            shutil.rmtree(given.out / side)
    SETS[given.set](given.data, given.out)
    counts = Counter(f"{path.parts[-3]}/{path.parent.name}" for path in given.out.glob("*/*/*"))
    for name, count in sorted(counts.items()):
        print(f"{name:28} {count}")


if __name__ == "__main__":
    main()
