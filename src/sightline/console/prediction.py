"""`sightline predict`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from sightline.console.loading import load_task
from sightline.errors import InvalidImage, InvalidOption, MissingInput, NoFace, Unavailable
from sightline.images.encode import encode
from sightline.settings import Settings
from sightline.tasks import registry
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import question_fields

_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def run(
    name: str,
    images: list[str],
    options: dict[str, Any],
    *,
    model: str | None,
    detector: str | None,
    as_json: bool,
    out: Path | None,
) -> bool:
    """Answer for every picture (or for the one set of them that the task takes); whether all were answered.

    A picture that cannot be answered for costs one line on stderr; the others are still answered.
    """
    plan = registry.recipe(name)
    wanted = [picture for picture in question_fields(plan.task().Question).pictures if picture.required]
    if len(wanted) > 1 and len(images) != len(wanted):
        names = " ".join(picture.name.upper() for picture in wanted)
        raise MissingInput(f"{name} takes {len(wanted)} pictures ({names}), not {len(images)}")
    groups = [images] if len(wanted) > 1 else [[image] for image in images]
    if out is not None and len(groups) > 1 and out.suffix.lower() in _SUFFIXES:
        raise InvalidOption(f"--out {out} is one file, and there are {len(groups)} answers: name a folder")
    task = load_task(name, model, detector, Settings.from_env())
    extra = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    good = True
    for group in groups:
        try:
            _one(task, group, extra, as_json, out)
        except (InvalidImage, NoFace) as error:
            if len(groups) == 1:
                raise
            print(f"sightline: {group[0]}: {error} [{error.code}]", file=sys.stderr)
            good = False
    return good


def _one(task: Task[Any, Any], group: list[str], options: dict[str, Any], as_json: bool, out: Path | None) -> None:
    answer = task(*group, **options)
    members = answer.to_dict()
    if out is not None or (task.answers_picture and not as_json):
        names = (picture.name for picture in question_fields(task.Question).pictures)
        place = _place(task, Path(group[0]), out, answer)
        _save(task.drawing(answer, dict(zip(names, group, strict=False))), place)
        print(f"saved {place}", file=sys.stderr)
    if as_json:
        print(json.dumps(members), flush=True)
    else:
        for line in _summary(task.name, group, members):
            print(line, flush=True)


def _place(task: Task[Any, Any], picture: Path, out: Path | None, answer: Answer) -> Path:
    default = f"{picture.stem}.{task.name}.png"
    if out is None:
        return Path(default)
    if out.suffix.lower() in _SUFFIXES and not out.is_dir():
        return out
    if out.suffix and not out.is_dir():
        raise InvalidOption(f"--out {out}: the file ends in one of {', '.join(_SUFFIXES)}, or it is a folder")
    return out / default


def _save(image: Image.Image, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encode(image, _SUFFIXES[place.suffix.lower()]))
    except OSError as error:
        raise Unavailable(f"cannot write {place}: {error.strerror}") from None


def _summary(name: str, group: list[str], members: dict[str, Any]) -> Iterable[str]:
    """A few lines for a person; `--json` has everything."""
    took = f"{members['timings_ms']['total']:.0f} ms, {members['model']['name']}"
    if name == "similarity":
        likeness = members["similarity"]
        yield f"more similar to the anchor: {members['more_similar']} ({took})"
        for key, picture in zip(("img1", "img2"), group[1:], strict=True):
            same = "the same person" if members["same_person"][key] else "not the same person"
            yield f"  {key} {picture}: similarity {likeness[key]:.3f}, distance {members['distance'][key]:.3f}, {same}"
    elif "labels" in members:
        sure = "shows" if members["labels"] else "nothing that the model is sure of"
        found = "none of these" if members["none_of_these"] else sure
        yield f"{group[0]}: {found} ({took})"
        for label in members["labels"]:
            yield f"  {label['confidence']:6.1%}  {label['name']}"
    elif "faces" in members:
        count = len(members["faces"])
        yield f"{group[0]}: {count} face{'' if count == 1 else 's'} ({took})"
        for face in members["faces"]:
            box = face["box"]
            where = f"x {box['x']:.0f} y {box['y']:.0f}, {box['width']:.0f} x {box['height']:.0f}"
            said = f"{face['emotion']} {face['scores'][face['emotion']]:.0%}, " if "emotion" in face else ""
            yield f"  {said}confidence {face['confidence']:.2f} at {where}"
    elif "objects" in members:
        count = len(members["objects"])
        yield f"{group[0]}: {count} thing{'' if count == 1 else 's'} ({took})"
        for thing in members["objects"]:
            box = thing["box"]
            where = f"x {box['x']:.0f} y {box['y']:.0f}, {box['width']:.0f} x {box['height']:.0f}"
            yield f"  {thing['label']}, confidence {thing['confidence']:.2f} at {where}"
    elif "people" in members:
        count = len(members["people"])
        yield f"{group[0]}: {count} {'person' if count == 1 else 'people'} ({took})"
        for person in members["people"]:
            box, points = person["box"], person["keypoints"].values()
            where = f"x {box['x']:.0f} y {box['y']:.0f}, {box['width']:.0f} x {box['height']:.0f}"
            sure = sum(point["confidence"] >= 0.5 for point in points)
            yield f"  confidence {person['confidence']:.2f} at {where}; {sure} of {len(points)} points surer than 0.5"
    else:
        yield f"{group[0]}: covers {members['coverage']:.1%} of the picture ({took})"
        if members.get("quality", {}).get("looks_like_chest_xray") is False:
            yield "  this does not look like a chest X-ray: the mask says nothing"
        about = members.get("background")
        if about:
            yield "  background: " + ", ".join(str(about[key]) for key in ("source", "title", "licence") if about[key])
