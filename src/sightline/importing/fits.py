"""How a network's answers become those of a task: the architecture that reads them, and what its card has to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sightline.engines.base import Array
from sightline.errors import InvalidOption, ModelError
from sightline.tasks.emotion import EMOTIONS

from .probes import Batch
from .request import Request
from .siamese import Relation, find_tower
from .source import Source
from .wishes import emotion, read_labels

# The order of class folders by name, which is how FER2013 networks come to number their outputs.
_ALPHABETICAL = tuple(sorted(EMOTIONS))

# What data sets call the class that a mask is of.
_CLASSES = {"background": ("person", "people", "human", "foreground"), "lungs": ("lung", "lungs")}

Answers = list[Array]
"""Arrays of numbers that two ways of asking the same have to agree on."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`model` is the graph to store (None: the file as it is). `facts` are members of its card.

    `reference` gives the task's numbers for prepared inputs by the source, `answer` for the pictures behind them by the
    stored model's architecture.
    """

    model: Any
    facts: dict[str, Any]
    reference: Callable[[Array], Answers]
    answer: Callable[[Any, Batch], Answers]
    notes: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = field(default=())


def fit(request: Request, source: Source, inputs: Array) -> Fit:
    """The fit for the request's task. `inputs` are prepared pictures to try the source on.

    Raises `InvalidOption` for labels that are not the task's, and `ModelError` where the outputs are not
    such as the task needs.
    """
    if request.task == "similarity" and request.labels is not None:
        raise InvalidOption("similarity has no labels")
    if request.task != "similarity" and len(source.inputs) != 1:
        raise ModelError(f"the network takes {len(source.inputs)} inputs; {request.task} asks it with one picture")
    return FITS[request.task](request, source, inputs)


def _scores(request: Request, source: Source, inputs: Array) -> Fit:
    output = _only(source.run(inputs))
    given = read_labels(request.labels)
    labels = tuple(map(emotion, given)) or _ALPHABETICAL
    if output.ndim != 2 or output.shape[1] != len(labels):
        raise ModelError(
            f"the network answers {output.shape[1:]} for a picture; emotion needs one number for each of "
            f"{len(labels)} labels"
        )
    if set(labels) != set(EMOTIONS):
        raise InvalidOption(
            f"the labels are {', '.join(labels)}; emotion needs {', '.join(EMOTIONS)}, in the network's order"
        )
    kind = "probabilities" if _are_probabilities(output) else "logits"

    def reference(prepared: Array) -> Answers:
        rows = np.asarray(source.run(prepared)[0], np.float64)
        return [rows if kind == "probabilities" else _softmax(rows)]

    def answer(architecture: Any, pictures: Batch) -> Answers:
        return [architecture.scores(pictures)]

    assumed = () if given else (f"its outputs are taken to be {', '.join(labels)}; --labels says otherwise",)
    facts = {"architecture": "expression", "labels": list(labels), "options": {"output": kind}}
    return Fit(source.model, facts, reference, answer, assumed)


def _labels(request: Request, source: Source, inputs: Array) -> Fit:
    """Whole pictures, any labels: the network of a timm export, or of anybody's class folders."""
    output = _only(source.run(inputs))
    labels = read_labels(request.labels)
    if output.ndim != 2 or output.shape[1] < 2:
        raise ModelError(f"the network answers {output.shape[1:]} for a picture; classify needs one number a label")
    if len(labels) != output.shape[1]:
        raise InvalidOption(f"the network answers {output.shape[1]} numbers: --labels names each, not {len(labels)}")
    kind = "probabilities" if _are_probabilities(output) else "logits"

    def reference(prepared: Array) -> Answers:
        rows = np.asarray(source.run(prepared)[0], np.float64)
        return [rows if kind == "probabilities" else _softmax(rows)]

    def answer(architecture: Any, pictures: Batch) -> Answers:
        return [np.stack([architecture.confidences(picture) for picture in pictures])]

    note = "the middle 87.5% of a picture fills its input; [options] fit, crop and filter on a --card say otherwise"
    facts = {"architecture": "classifier", "labels": list(labels), "options": {"output": kind}}
    return Fit(source.model, facts, reference, answer, (note,))


def _are_probabilities(rows: Array) -> bool:
    return bool((rows >= 0).all() and np.abs(rows.sum(axis=1) - 1).max() < 1e-3)


def _softmax(rows: Array, axis: int = 1) -> Array:
    powers = np.exp(rows - rows.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _mask(request: Request, source: Source, inputs: Array) -> Fit:
    output = _only(source.run(inputs))
    shape = source.inputs[0].shape
    height, width = (shape[2], shape[3]) if _channels_first(shape) else (shape[1], shape[2])
    if output[0].size != (height or 0) * (width or 0):
        return _mask_of_classes(request, source, output, (height or 0, width or 0))
    kind = "probabilities" if output.min() >= 0 and output.max() <= 1 else "logits"

    def reference(prepared: Array) -> Answers:
        rows = np.asarray(source.run(prepared)[0], np.float64).reshape(len(prepared), -1)
        return [rows if kind == "probabilities" else 1 / (1 + np.exp(-np.clip(rows, -60, 60)))]

    return Fit(source.model, _mask_facts(kind), reference, _mask_answer)


def _mask_of_classes(request: Request, source: Source, output: Array, size: tuple[int, int]) -> Fit:
    """A network with a channel for each class: the one that the task asks for is kept, as a probability."""
    axis = next((place for place in (1, 3) if output.ndim == 4 and _without(output.shape, place) == size), None)
    if axis is None or source.model is None:
        raise ModelError(
            f"the network answers {output.shape[1:]} for a picture of {size[1]} x {size[0]}; {request.task} needs one "
            f"number a pixel of its input, or one for each class"
        )
    names = _CLASSES[request.task]
    labels = [label.strip().lower() for label in read_labels(request.labels)] or ["background", names[0]]
    wanted = [place for place, label in enumerate(labels) if label in names]
    if len(labels) != output.shape[axis] or len(wanted) != 1:
        raise InvalidOption(
            f"the network has {output.shape[axis]} classes: --labels names each of them, and one is {names[0]}"
        )
    soft = not (output.min() >= 0 and np.abs(output.sum(axis=axis) - 1).max() < 1e-3)

    def reference(prepared: Array) -> Answers:
        rows = np.asarray(source.run(prepared)[0], np.float64)
        chosen = np.take(_softmax(rows, axis) if soft else rows, wanted[0], axis=axis)
        return [chosen.reshape(len(prepared), -1)]

    from .graph import keep_channel

    keep_channel(source.model, axis, wanted[0], soft=soft)
    return Fit(
        source.model,
        _mask_facts("probabilities"),
        reference,
        _mask_answer,
        (f"of its {len(labels)} classes number {wanted[0]} is kept",),
    )


def _mask_facts(kind: str) -> dict[str, Any]:
    return {"architecture": "bcdunet", "options": {"output": kind}, "thresholds": {"score": 0.5}}


def _mask_answer(architecture: Any, pictures: Batch) -> Answers:
    return [np.stack([architecture.mask(picture).reshape(-1) for picture in pictures])]


def _without(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    return tuple(size for index, size in enumerate(shape) if index not in (0, place))


def _vectors(request: Request, source: Source, inputs: Array) -> Fit:
    count = len(source.inputs)
    options: dict[str, Any] = {"crop": request.crop, "metric": "euclidean"}
    if source.model is None:
        if count > 1:
            raise ModelError(f"the TFLite network takes {count} pictures; its tower alone can be imported")
        return _embedder(source, inputs, options)
    tower = find_tower(source.model, inputs)
    if not tower.relations:
        return _embedder(source, inputs, options, tower.model)
    metrics = {relation.metric for relation in tower.relations}
    if len(metrics) > 1:
        raise ModelError(f"the network answers by different distances: {', '.join(sorted(metrics))}")
    relations = tower.relations
    options["metric"] = relations[0].metric

    def reference(prepared: Array) -> Answers:
        outputs = source.run(*_shifted(prepared, count))
        return [_columns(outputs, len(prepared))]

    def answer(architecture: Any, pictures: Batch) -> Answers:
        turned = _shifted(architecture.embed(pictures), count)
        columns = []
        for relation in relations:
            first, second = (turned[index] for index in relation.pair)
            distance = [architecture.distance(a, b) for a, b in zip(first, second, strict=True)]
            columns.append(relation.answer(np.array(distance)))
        return [np.stack(columns, axis=1)]

    said = "; ".join(dict.fromkeys(map(str, relations)))
    folded = ", its weights folded into the tower" if tower.folded else ""
    facts = {"architecture": "siamese", "options": options}
    return Fit(tower.model, facts, reference, answer, (f"the network's answer is {said}{folded}",), relations)


def _embedder(source: Source, inputs: Array, options: dict[str, Any], model: Any = None) -> Fit:
    outputs = source.run(*([inputs] * len(source.inputs)))
    numbers = [np.asarray(output)[0].size for output in outputs]
    size = numbers[0] // len(source.inputs) if len(outputs) == 1 else numbers[0]
    if len(set(numbers)) != 1 or len(outputs) not in (1, len(source.inputs)) or size < 2:
        raise ModelError(f"the network answers with {numbers} numbers a picture; similarity needs one vector")

    def reference(prepared: Array) -> Answers:
        # All inputs see one picture: where several vectors come back in a row, the first stands for all.
        outputs = source.run(*([prepared] * len(source.inputs)))
        return [np.asarray(outputs[0]).reshape(len(prepared), -1)[:, :size]]

    def answer(architecture: Any, pictures: Batch) -> Answers:
        return [architecture.embed(pictures)]

    note = "the network answers with vectors; their distance is Euclidean unless the card's options name another metric"
    return Fit(model, {"architecture": "siamese", "options": options}, reference, answer, (note,))


def _shifted(rows: Array, count: int) -> list[Array]:
    """The batch once for each of `count` inputs, each further along: so every input sees another picture."""
    return [np.roll(rows, -place, axis=0) for place in range(count)]


def _columns(outputs: tuple[Array, ...], count: int) -> Array:
    """One row a question, one column a number of the answer."""
    columns = []
    for output in outputs:
        rows = np.asarray(output, np.float64)
        if rows.ndim == 0 or count not in rows.shape:
            raise ModelError("its answer has no number for each pair of pictures")
        columns.append(np.moveaxis(rows, rows.shape.index(count), 0).reshape(count, -1))
    return np.concatenate(columns, axis=1)


def _only(outputs: tuple[Array, ...]) -> Array:
    if len(outputs) != 1:
        raise ModelError(f"the network has {len(outputs)} outputs; one is needed")
    (output,) = outputs
    if not np.isfinite(output).all():
        raise ModelError("the network answers with numbers that are not finite")
    return output


def _channels_first(shape: tuple[int | None, ...]) -> bool:
    return shape[1] in (1, 3) and shape[-1] not in (1, 3)


FITS: dict[str, Callable[[Request, Source, Array], Fit]] = {
    "classify": _labels,
    "emotion": _scores,
    "lungs": _mask,
    "background": _mask,
    "similarity": _vectors,
}
"""The tasks an imported model can serve."""
