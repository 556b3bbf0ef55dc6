"""From class folders to a model folder: features, head, limit, one graph, card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx

from sightline.architectures.base import Architecture
from sightline.architectures.classifier import frame_options, look
from sightline.engines.registry import open_engine
from sightline.errors import InvalidOption, ModelError
from sightline.evaluation.base import Progress, nothing
from sightline.images.decode import read
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings

from ..card import figure, write_card
from . import knn, logistic, openset
from .knn import PROBABILITIES
from .nodes import Nodes
from .openset import DISTANCE, Limit, limit
from .outofsample import Judged, Rows, calibration_error
from .pictures import ClassFolders, list_pictures
from .scaling import UNIT, Scaling, unit
from .trunk import ENOUGH, Trunk, Vectors, cut, finished

EMBEDDING = "centernet-features"
_TOLERANCE = 1e-3


class Head(Protocol):
    """What turns features into probabilities."""

    @property
    def temperature(self) -> float:
        """What likenesses or logits are divided by, so that probabilities mean what they say."""
        ...

    def probabilities(self, scaled: Vectors, likeness: Vectors) -> Rows:
        """N x labels for N x D scaled features and N x M likenesses to those taught."""
        ...

    def write(self, nodes: Nodes, likeness: str) -> None:
        """Add nodes that give `PROBABILITIES`, from the scaled features and the likenesses to those taught."""
        ...


Fitting = Callable[[Vectors, Scaling, npt.NDArray[np.int64], int], tuple[Head, Judged]]
_FITS: dict[str, Fitting] = {"knn": knn.fit, "logistic": logistic.fit}
HEADS = tuple(_FITS)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the card's figures are made of: the labels (N indices), what the head said of pictures it had not seen, and
    the limit of what it knows."""

    labels: npt.NDArray[np.int64]
    judged: Judged
    bound: Limit


@dataclass(frozen=True, slots=True)
class Taught:
    """A model folder, and the figures of its card."""

    folder: Path
    card: Card
    doubles: int
    broken: tuple[str, ...]


def teach(
    data: Path,
    out: Path,
    head: str,
    settings: Settings,
    store: Store,
    *,
    embedding: str = EMBEDDING,
    progress: Progress = nothing,
) -> Taught:
    """Learn the labels of `data/LABEL/*` over the network `embedding`, and leave `model.onnx` and `card.toml` in `out`.

    No gradient goes through the network: it takes seconds. Raises `InvalidOption` for data, an embedding or a head that
    do not fit, and `ModelError` where the written graph does not answer as the head does.
    """
    if head not in HEADS:
        raise InvalidOption(f"there is no head {head!r}; there are {', '.join(HEADS)}")
    found = list_pictures(data)
    base = store.card(embedding)
    trunk = cut(base, store.weights(base))
    files = [path for path, _ in found.pictures]
    vectors = trunk.vectors(files, settings, progress)
    labels = np.array([index for _, index in found.pictures], np.int64)
    scaling = Scaling.of(vectors)
    fitted, judged = _FITS[head](vectors, scaling, labels, len(found.labels))
    scaled = scaling.scaled(vectors)
    evidence = Evidence(labels, judged, limit(scaled, labels))
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "model.onnx"
    onnx.save(join(trunk, scaling, fitted, scaled), weights)
    parity = _parity(weights, base, fitted, scaling, files, vectors, settings)
    write_card(out / "card.toml", _card(out, weights, base, found, head, fitted, evidence, parity))
    return Taught(out, Card.load(out / "card.toml"), found.doubles, found.broken)


def join(trunk: Trunk, scaling: Scaling, head: Head, taught: Vectors) -> Any:
    """The graph of pictures to `PROBABILITIES` (N x labels) and `DISTANCE` (N) from `taught` (M x D, scaled)."""
    joined = onnx.ModelProto()
    joined.CopyFrom(trunk.model)
    nodes = Nodes(joined.graph)
    scaling.write(nodes)
    likeness = nodes.add("MatMul", [UNIT, nodes.constant("taught", unit(taught).T)], "sightline/likeness")
    head.write(nodes, likeness)
    openset.write(nodes, likeness, taught)
    return finished(joined, [(PROBABILITIES, 2), (DISTANCE, 1)])


def _parity(
    weights: Path, base: Card, head: Head, scaling: Scaling, files: list[Path], vectors: Vectors, settings: Settings
) -> float:
    """The largest difference between what the graph makes of some of the pictures and what the head makes of their
    vectors. Raises `ModelError` where it is more than rounding."""
    network = Architecture(base, open_engine("onnx", weights, settings))
    taught, largest = scaling.scaled(vectors), 0.0
    for place in np.unique(np.linspace(0, len(files) - 1, 12).astype(int)):
        rows, away = network.engine.run(network.prepare(look(base, read(files[place], enough=ENOUGH).pixels)[None]))
        own = taught[place : place + 1]
        expected = head.probabilities(own, unit(own) @ unit(taught).T)
        gaps = (rows - expected, away - openset.distances(own, taught))
        largest = max(largest, *(float(np.abs(gap).max()) for gap in gaps))
    if not largest < _TOLERANCE:
        raise ModelError(f"the written graph differs from the head by {largest:.1e}")
    return largest


def _card(
    out: Path,
    weights: Path,
    base: Card,
    found: ClassFolders,
    head: str,
    fitted: Head,
    evidence: Evidence,
    parity: float,
) -> dict[str, Any]:
    labels, rows = evidence.labels, evidence.judged.rows
    right = rows.argmax(axis=1) == labels
    five = (np.argsort(-rows, axis=1)[:, :5] == labels[:, None]).any(axis=1)
    count, data = len(labels), f"the pictures themselves, {evidence.judged.how}"
    command = f"sightline train classify --data DATA --out OUT --head {head}"
    if base.name != EMBEDDING:
        command += f" --embedding {base.name}"
    return {
        "name": name_of(out),
        "version": "1",
        "tasks": ["classify"],
        "architecture": "classifier",
        "engine": "onnx",
        "summary": f"{len(found.labels)} labels learnt from {count} pictures, over the features of {base.name}.",
        "training_data": f"{count} pictures of the user's own; the network below: {base.training_data}",
        "labels": list(found.labels),
        "licence": {
            "spdx": base.licence.spdx,
            "holder": base.licence.holder,
            "url": base.licence.url,
            "research_only": base.licence.research_only,
            "note": f"Terms of {base.name}, whose weights are inside; the terms of your own pictures come on top. "
            + base.licence.note,
        },
        "input": {
            "width": base.input.width,
            "height": base.input.height,
            "layout": base.input.layout,
            "colour": base.input.colour,
            "mean": list(base.input.mean),
            "scale": list(base.input.scale),
        },
        "thresholds": {"distance": round(evidence.bound.distance, 4)},
        "options": {
            **_framing(base),
            "output": "probabilities",
            "head": head,
            "calibrated_temperature": float(f"{fitted.temperature:.4g}"),
            "embedding": f"{base.name} {base.version}",
            "embedding_sha256": base.identity.sha256,
            "parity": float(f"{parity:.2g}"),
        },
        "files": [{"path": weights.name, "sha256": _sha256(weights), "size": weights.stat().st_size}],
        "figures": [
            figure(data, "top1", float(right.mean()), count, command),
            figure(data, "top5", float(five.mean()), count, command),
            figure(data, "calibration_error", calibration_error(rows, labels), count, command),
            figure(data, "taken for none of these", evidence.bound.rejected, count, command),
            figure("each label left out once", "taken for none of these", evidence.bound.strangers, count, command),
        ],
    }


def name_of(out: Path) -> str:
    """A card's name made of a folder's."""
    return re.sub(r"[^a-z0-9._-]+", "-", out.resolve().name.lower()).strip("-._")[:64] or "labels"


def _framing(base: Card) -> dict[str, Any]:
    options = frame_options(base)
    return {"fit": options["fit"], "crop": options["share"], "filter": options["filter"], "pad": options["pad"]}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
