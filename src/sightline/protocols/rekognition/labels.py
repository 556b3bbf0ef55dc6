"""DetectLabels' GENERAL_LABELS: what `detect` finds and what `classify` names, as Rekognition's clients know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sightline.images.picture import Picture
from sightline.protocols.rekognition.backend import Call
from sightline.protocols.rekognition.faces import served
from sightline.protocols.rekognition.taxonomy import category, term
from sightline.protocols.rekognition.validate import Members
from sightline.protocols.rekognition.wire import bounding_box, percent, share_of
from sightline.tasks.classify import Classify, ClassifyQuestion
from sightline.tasks.detect import Detect, DetectQuestion, Thing

MOST = 1000
CONFIDENCE = 55.0
"""The least confidence, in percent, where a request names none; Amazon's own."""


@dataclass(slots=True)
class _Label:
    """A label while labels are gathered; `confidence` 0..1 is that of the surest of what it stands for."""

    name: str
    confidence: float = 0.0
    parents: tuple[str, ...] = ()
    instances: list[Thing] = field(default_factory=list)


def general_labels(call: Call, picture: Picture, members: Members) -> Members:
    """`Labels` and `LabelModelVersion`. A label's confidence is its surest instance's, an ancestor's that of its surest
    descendant. Raises `Fault` where no detector is served."""
    runtime = call.backend.runtime
    detector: Any = served(runtime, "detect")
    found = _gathered(detector, picture)
    if "classify" in runtime.tasks:
        classifier: Any = runtime.tasks["classify"]
        _name(classifier, picture, found)
    least = members.get("MinConfidence", CONFIDENCE)
    wanted = _wanted(found.values(), members.get("Settings", {}).get("GeneralLabels", {}))
    sure = [label for label in wanted if percent(label.confidence) >= least]
    sure.sort(key=lambda label: (-label.confidence, -len(label.parents), label.name))
    identity = detector.identities[0]
    return {
        "Labels": [_written(label, picture, least) for label in sure[: members.get("MaxLabels", MOST)]],
        "LabelModelVersion": f"{identity.name}-{identity.version}",
    }


def _gathered(task: Detect, picture: Picture) -> dict[str, _Label]:
    found: dict[str, _Label] = {}
    for thing in task.answer(DetectQuestion(picture)).objects:
        _add(found, thing.label, thing.confidence).instances.append(thing)
    return found


def _name(task: Classify, picture: Picture, found: dict[str, _Label]) -> None:
    for label in task.answer(ClassifyQuestion(picture, top=MOST)).labels:
        _add(found, label.name, label.confidence)


def _add(found: dict[str, _Label], name: str, confidence: float) -> _Label:
    """The label of a model's name, and its ancestors, at least this confident."""
    told = term(name)
    for place, one in enumerate((told.name, *told.parents)):
        label = found.setdefault(one, _Label(one, parents=told.parents[place:]))
        label.confidence = max(label.confidence, confidence)
    return found[told.name]


def _wanted(labels: Iterable[_Label], filters: Members) -> list[_Label]:
    """Those that the request's filters let through: what is excluded goes, whatever else includes it."""
    names, kinds = filters.get("LabelInclusionFilters"), filters.get("LabelCategoryInclusionFilters")
    without = set(filters.get("LabelExclusionFilters", ()))
    without_kinds = set(filters.get("LabelCategoryExclusionFilters", ()))
    kept = [label for label in labels if label.name not in without and category(label.name) not in without_kinds]
    if not names and not kinds:
        return kept
    return [label for label in kept if label.name in (names or ()) or category(label.name) in (kinds or ())]


def _written(label: _Label, picture: Picture, least: float) -> dict[str, Any]:
    kind = category(label.name)
    return {
        "Name": label.name,
        "Confidence": percent(label.confidence),
        "Instances": [
            {
                "BoundingBox": bounding_box(share_of(thing.box, picture)),
                "Confidence": percent(thing.confidence),
            }
            for thing in label.instances
            if percent(thing.confidence) >= least
        ],
        "Parents": [{"Name": parent} for parent in label.parents],
        "Aliases": [],
        "Categories": [] if kind is None else [{"Name": kind}],
    }
