"""An import, step by step: read, convert, fit to the task, compare, write the card, put into the store."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.architectures.base import Architecture
from sightline.architectures.registry import architecture
from sightline.engines.registry import open_engine
from sightline.errors import EngineError, InvalidOption, ModelError
from sightline.models.card import Card
from sightline.models.store import ZOO, Store
from sightline.settings import Settings
from sightline.tasks import registry

from . import calibrate, parity, probes, write_card
from .calibrate import Calibration
from .fits import FITS, Fit, fit
from .probes import Batch
from .readers import read
from .request import CROPS, Imported, Parity, Request
from .source import Source
from .wishes import Table, merge, read_card

# These tasks ask a model about one picture at a time, so that a graph of a fixed batch serves them.
_ONE_BY_ONE = ("lungs", "background", "classify")
_ALIKE = 1e-6


def bring(request: Request) -> Imported:
    """Import a model. Nothing is left in the store where a step fails.

    Raises `InvalidOption` for what the caller can say otherwise, and `ModelError` with the reason where the file cannot
    be read, must not be, or does not do what the task needs.
    """
    wished = read_card(request.card)
    name = check(request, wished)
    request.folder.mkdir(parents=True, exist_ok=True)
    place = request.folder / name
    beside = tempfile.TemporaryDirectory(dir=request.folder, prefix=".incoming-")
    with beside as store, tempfile.TemporaryDirectory() as scratch:
        # Beside its later place, to be renamed there at the end; one level deeper than where the store looks.
        done = _bring(request, wished, Path(store) / name, Path(scratch))
        try:
            os.rename(done.directory, place)
        except OSError as error:
            raise InvalidOption(f"cannot put the model into {place}: {error.strerror}") from None
    return replace(done, directory=place)


def check(request: Request, wished: Table) -> str:
    """The model's name, once everything that needs no reading of the model is known to be right.

    Raises `InvalidOption`, and `UnknownTask`.
    """
    registry.recipe(request.task)
    if request.task not in FITS:
        raise InvalidOption(f"no imported model can serve {request.task}; one can serve {', '.join(FITS)}")
    if request.crop not in CROPS:
        raise InvalidOption(f"the crop is {request.crop!r}; it is one of {', '.join(CROPS)}")
    if request.samples is not None and not request.samples.is_dir():
        raise InvalidOption(f"{request.samples} is no folder of pictures")
    name = write_card.name_of(request, wished)
    if (request.folder / name).exists():
        raise InvalidOption(f"{request.folder / name} is there already: choose another --name, or remove it")
    if request.name is None and (ZOO / name).exists():
        raise InvalidOption(f"{name} is the name of a shipped model: choose a --name ({name} itself to take its place)")
    return name


@dataclass(frozen=True, slots=True)
class _Work:
    """What every later step needs: the wishes, the source fitted to the task, where it goes, and pictures to try."""

    request: Request
    wished: Table
    fit: Fit
    directory: Path
    random: Batch
    real: Batch


@dataclass(frozen=True, slots=True)
class _Stored:
    """The weights in their folder, on an engine that was found to answer like the source."""

    weights: Path
    engine: str
    parity: Parity
    notes: tuple[str, ...] = ()


def _bring(request: Request, wished: Table, directory: Path, scratch: Path) -> Imported:
    source = read(request, write_card.wished_shape(wished), scratch)
    table = write_card.draft(request, source, wished)
    card = write_card.provisional(table)
    directory.mkdir()
    random = probes.drawn(card.input.width, card.input.height)
    real = probes.real(request.samples, card.input.width, card.input.height)
    # Preparing pictures asks no engine.
    inputs = Architecture(card, None).prepare(random)  # type: ignore[arg-type]
    if inputs.shape[1:] != source.inputs[0].shape[1:]:
        raise InvalidOption(
            f"the card's [input] makes pictures of {inputs.shape[1:]}; the network takes {source.inputs[0].shape[1:]}"
        )
    work = _Work(request, wished, fit(request, source, inputs), directory, random, real)
    table = write_card.wish(merge(table, work.fit.facts), wished)
    stored = _store(work, table)
    table["options"] |= {
        "parity_random": float(f"{stored.parity.random_difference:.3g}"),
        "parity_real": float(f"{stored.parity.real_difference:.3g}"),
    }
    notes = [*source.notes, *_assumptions(source, wished, card), *work.fit.notes, *stored.notes]
    if stored.parity.spread < _ALIKE:
        notes.append("its answers do not differ from picture to picture, so that the comparison says little")
    said = {*wished.get("options", {}), *wished.get("thresholds", {})}
    if table["architecture"] == "siamese" and not {"slope", "middle", "distance"} <= said:
        found = _calibration(work, table, stored)
        table = write_card.wish(_decided(table, found), wished)
        notes.append(f"one person below a distance of {table['thresholds']['distance']:.4g} ({found.origin})")
    written = write_card.write(table, stored.weights, stored.engine)
    return Imported(
        name=written.name,
        version=written.version,
        task=request.task,
        format=source.format,
        architecture=written.architecture,
        engine=written.engine,
        directory=directory,
        sha256=written.identity.sha256,
        size=written.size,
        parity=stored.parity,
        notes=tuple(notes),
    )


def _assumptions(source: Source, wished: Table, card: Card) -> list[str]:
    colour = card.input.colour
    if {"mean", "scale"} & set(wished.get("input", {})):
        return []
    if source.wants_bytes:
        return [f"the network scales pixels itself: it is given 0..255, {colour}"]
    return [f"the network is given pixels of 0..1, {colour}; a --card with mean and scale in [input] says otherwise"]


def _store(work: _Work, table: Table) -> _Stored:
    """Write the weights and compare what is stored with the source. Raises `ModelError`."""
    if work.fit.model is None:
        weights = work.directory / "model.tflite"
        shutil.copyfile(work.request.file, weights)
        # The source is this very engine: what is tried then is the architecture around it.
        return _Stored(weights, "litert", _compare(work, table, weights, "litert"), ("kept as it is, on LiteRT",))

    import onnx

    from .graph import batch_of, free_batch, tidy

    weights = work.directory / "model.onnx"
    tidy(work.fit.model)
    free = onnx.ModelProto()
    free.CopyFrom(work.fit.model)
    free_batch(free)
    onnx.save(free, weights)
    fixed = batch_of(work.fit.model)
    try:
        return _Stored(weights, "onnx", _compare(work, table, weights, "onnx"))
    except (ModelError, EngineError) as error:
        if fixed and work.request.task not in _ONE_BY_ONE:
            raise ModelError(
                f"the graph is built for a batch of {fixed} and answers no other, as {work.request.task} needs: {error}"
            ) from None
        if fixed != 1:
            raise
    onnx.save(work.fit.model, weights)
    note = "the graph is built for one picture at a time, and kept so"
    return _Stored(weights, "onnx", _compare(work, table, weights, "onnx"), (note,))


def _compare(work: _Work, table: Table, weights: Path, engine: str) -> Parity:
    return parity.compare(work.fit, _open(table, weights, engine), work.random, work.real)


def _open(table: Table, weights: Path, engine: str) -> Any:
    """The architecture on the stored weights, as it will serve."""
    card = write_card.card(table, weights, engine)
    return architecture(card)(card, open_engine(engine, weights, Settings()))


def _calibration(work: _Work, table: Table, stored: _Stored) -> Calibration:
    """What decides for a face network: measured on people, the network's own, or a guess."""
    people = calibrate.people_in(work.request.samples)
    if len(people) > 1:
        # The task itself, faces found as they will be, with the model where it waits.
        card = write_card.write(_decided(table, Calibration(1.0, 1.0, "")), stored.weights, stored.engine)
        settings = replace(Settings.from_env(), models=work.directory.parent)
        task = registry.load("similarity", model=card.name, settings=settings, store=Store(settings, pull=False))
        return calibrate.from_people(task, people)  # type: ignore[arg-type]
    if work.fit.relations and work.fit.relations[0].sigmoid:
        return calibrate.from_head(work.fit.relations[0])
    network = _open(table, stored.weights, stored.engine)
    return calibrate.from_guess(network.embed(work.real[:12]), network.distance)


def _decided(table: Table, found: Calibration) -> Table:
    middle, slope = (float(f"{value:.6g}") for value in (found.middle, found.slope))
    decided = {"options": {"middle": middle, "slope": slope, "calibration": found.origin}}
    return merge(table, {**decided, "thresholds": {"distance": middle}})
