"""Siamese networks: the tower that all inputs share, and the distance that the network's own answer is made of.

A network with two inputs answers how far apart they are; one with three (an anchor and two pictures) answers two such
numbers. What serves is the tower alone, and a distance between its vectors; both are found in the graph and then
proved: the network's own answers must follow from them. Weighted Manhattan distances (Koch et al. 2015) are folded
into the tower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from sightline.architectures.siamese import METRICS
from sightline.engines.base import Array
from sightline.errors import ModelError

from .graph import cut, inputs_of, scale_output

Floats = npt.NDArray[np.float64]

# What only moves numbers about, on the way from a score to the graph's output.
_MOVERS = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Cast", "Expand")
_PLAIN = ("euclidean", "squared", "manhattan", "cosine")
_PROBES = 64
# Networks add small numbers under their square roots: what is left over may be this share of the range of answers.
_RESIDUE = 1e-3
_ALIKE = 1e-4


@dataclass(frozen=True, slots=True)
class Relation:
    """One number of the answer: slope * distance + offset of a pair of inputs, behind a `sigmoid` or not; `metric` is
    one of `METRICS`."""

    pair: tuple[int, int]
    metric: str
    slope: float
    offset: float
    sigmoid: bool

    def answer(self, distance: Floats) -> Floats:
        """What the network says at these distances."""
        score = self.slope * distance + self.offset
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -60, 60))) if self.sigmoid else score, np.float64)

    @property
    def plain(self) -> bool:
        """Whether the answer is the distance itself."""
        return not self.sigmoid and abs(self.slope - 1) < _RESIDUE and abs(self.offset) < _RESIDUE

    def __str__(self) -> str:
        if self.plain:
            return f"{self.metric} distance"
        line = f"{self.slope:.4g} x {self.metric} distance {'+' if self.offset >= 0 else '-'} {abs(self.offset):.4g}"
        return f"sigmoid({line})" if self.sigmoid else line


@dataclass(frozen=True, slots=True)
class Tower:
    """The shared network as a graph of its own, and what each number of the whole network's answer is
    (empty where the whole network answers with the vectors themselves)."""

    model: onnx.ModelProto
    relations: tuple[Relation, ...]
    folded: bool


def find_tower(model: onnx.ModelProto, pictures: Array) -> Tower:
    """The tower of a network of one, two or three inputs. `pictures` are a batch of inputs to try it on.

    Raises `ModelError` with the reason where there is none, or where the answers do not follow from a known distance.
    """
    names = [value.name for value in model.graph.input]
    if len(names) > 3:
        raise ModelError(f"the network takes {len(names)} pictures; a siamese network takes one, two or three")
    if len(names) == 1:
        return Tower(model, (), folded=False)
    flow = _Flow(model.graph)
    outputs = [value.name for value in model.graph.output]
    dims = _dims(model)
    vectors = _vectors(flow, outputs)
    if len(vectors) == len(names) and len({next(iter(flow.sources(vector))) for vector in vectors}) == len(names):
        towers = [cut(model, {next(iter(flow.sources(vector))): dims}, [vector]) for vector in vectors]
        _prove_shared(towers, pictures)
        return Tower(towers[0], (), folded=False)
    chains = [flow.narrows(name, outputs) for name in names]
    refusals: list[str] = []
    for places in zip(*chains, strict=False):
        try:
            towers = [cut(model, {name: dims}, [place]) for name, place in zip(names, places, strict=True)]
            _prove_shared(towers, pictures)
            return _Head(model, flow, places, outputs).explain(towers[0], pictures)
        except KeyError:
            refusals.append("its towers need more than their own picture")
        except ModelError as error:
            refusals.append(str(error))
    reason = refusals[0] if refusals else "its pictures meet before each has become a vector"
    raise ModelError(f"no shared tower and known distance explain this network: {reason}")


def _vectors(flow: _Flow, outputs: list[str]) -> list[str]:
    """The vectors that the network answers with, side by side or each on its own; none where pictures meet before."""
    sides = [name for output in outputs for name in (flow.makers[output].input if _joins(flow, output) else (output,))]
    return sides if all(len(flow.sources(name)) == 1 for name in sides) else []


def _joins(flow: _Flow, output: str) -> bool:
    return output in flow.makers and flow.makers[output].op_type == "Concat"


def _dims(model: onnx.ModelProto) -> list[Any]:
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input]
    if any(shape[1:] != shapes[0][1:] for shape in shapes):
        raise ModelError("the network takes pictures of different sizes; its towers cannot be one")
    return ["batch", *shapes[0][1:]]


class _Flow:
    """Which tensor comes from which input. A tensor's shape is not counted: exporters ask any input for the batch."""

    def __init__(self, graph: Any) -> None:
        self.makers = {name: node for node in graph.node for name in node.output if name}
        self._inputs = [value.name for value in graph.input]
        self._readers: dict[str, list[Any]] = {}
        self._sources: dict[str, frozenset[str]] = {name: frozenset((name,)) for name in self._inputs}
        self._order: list[str] = []
        for node in graph.node:
            found: frozenset[str] = frozenset()
            if node.op_type not in ("Shape", "Size"):
                for name in set(inputs_of(node)):
                    self._readers.setdefault(name, []).append(node)
                    found |= self._sources.get(name, frozenset())
            for name in node.output:
                self._sources[name] = found
                self._order.append(name)

    def sources(self, name: str) -> frozenset[str]:
        return self._sources.get(name, frozenset())

    def narrows(self, source: str, outputs: list[str]) -> list[str]:
        """The tensors that are made of `source` alone and that all its ways to the outputs lead through, last first."""
        own = [name for name in reversed(self._order) if self._sources[name] == {source}]
        return [name for name in own if not self._leads_around(source, name, outputs)]

    def _leads_around(self, source: str, closed: str, outputs: list[str]) -> bool:
        seen, waiting = {source, closed}, [source]
        while waiting:
            name = waiting.pop()
            if name in outputs:
                return True
            for node in self._readers.get(name, ()):
                for made in node.output:
                    if made not in seen:
                        seen.add(made)
                        waiting.append(made)
        return False


def _session(model: onnx.ModelProto) -> Callable[..., list[Array]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"a part of it cannot be run: {str(error).splitlines()[0][:200]}") from None
    names = [item.name for item in session.get_inputs()]

    def run(*arrays: Array) -> list[Array]:
        try:
            return [np.asarray(item) for item in session.run(None, dict(zip(names, arrays, strict=True)))]
        except Exception as error:
            raise ModelError(f"a part of it cannot be run: {str(error).splitlines()[0][:200]}") from None

    return run


def _prove_shared(towers: list[onnx.ModelProto], pictures: Array) -> None:
    first, *others = [_session(tower)(pictures)[0] for tower in towers]
    if first.dtype != np.float32 or first.ndim < 2 or len(first) != len(pictures) or first[0].size < 2:
        raise ModelError("what its pictures become before they are compared are not vectors")
    for other in others:
        if other.shape != first.shape or np.abs(other - first).max() > _ALIKE * max(1.0, float(np.abs(first).max())):
            raise ModelError("its towers are different networks; one vector for each picture cannot stand for both")


class _Head:
    """What lies between the vectors and the answers, tried on vectors drawn for it."""

    def __init__(self, model: onnx.ModelProto, flow: _Flow, places: tuple[str, ...], outputs: list[str]) -> None:
        leaves = [leaf for output in outputs for leaf in _leaves(flow, output)]
        self._sigmoid = [flow.makers[leaf].op_type == "Sigmoid" for leaf in leaves]
        # Before the sigmoid, where the answer is a straight line of the distance.
        scores = [
            flow.makers[leaf].input[0] if sigmoid else leaf for leaf, sigmoid in zip(leaves, self._sigmoid, strict=True)
        ]
        self._model = cut(model, dict.fromkeys(places), list(dict.fromkeys(scores)))
        self._scores = scores
        self._count = len(places)

    def explain(self, tower: onnx.ModelProto, pictures: Array) -> Tower:
        """Raises `ModelError` where no distance explains the answers."""
        vectors = _session(tower)(pictures)[0]
        draw = _Draw(vectors)
        run = _session(self._model)
        probes = [draw.near(_PROBES) for _ in range(self._count)]
        columns = list(self._columns(run(*probes)))
        relations = [self._relation(probes, scores, sigmoid) for scores, sigmoid in columns]
        if all(relations):
            return Tower(tower, tuple(relation for relation in relations if relation), folded=False)
        if len({sigmoid for _, sigmoid in columns}) == 1:
            folded = self._fold(tower, run, draw, columns[0][1])
            if folded is not None:
                return folded
        raise ModelError(
            f"its answer is no {', '.join(_PLAIN)} distance of the vectors of its tower ({vectors[0].size} numbers), "
            f"weighted or not, with or without a sigmoid"
        )

    def _columns(self, answers: list[Array]) -> Iterator[tuple[Floats, bool]]:
        """Each number of the answer, for all probes, and whether a sigmoid follows."""
        by_name = dict(zip([value.name for value in self._model.graph.output], answers, strict=True))
        for score, sigmoid in zip(self._scores, self._sigmoid, strict=True):
            rows = np.asarray(by_name[score], np.float64)
            if rows.ndim == 0 or _PROBES not in rows.shape:
                raise ModelError("its answer has no number for each pair of pictures")
            rows = np.moveaxis(rows, rows.shape.index(_PROBES), 0).reshape(_PROBES, -1)
            if rows.shape[1] > 3:
                raise ModelError(f"its answer has {rows.shape[1]} numbers for a pair of pictures, which is no distance")
            for column in rows.T:
                yield column, sigmoid

    def _relation(
        self, probes: list[Array], scores: Floats, sigmoid: bool, metrics: tuple[str, ...] = _PLAIN
    ) -> Relation | None:
        best: tuple[bool, float, Relation] | None = None
        for pair in combinations(range(self._count), 2):
            for metric in metrics:
                measure = METRICS[metric]
                first, second = (probes[index].reshape(_PROBES, -1) for index in pair)
                distance = np.array([measure(a, b) for a, b in zip(first, second, strict=True)])
                slope, offset, residue = _line(distance, scores)
                if not slope or residue > _RESIDUE:
                    continue
                found = Relation(pair, metric, slope, offset, sigmoid)
                # On vectors of length 1 several metrics fit: the one that is the answer itself says most.
                if best is None or (not found.plain, residue) < best[:2]:
                    best = not found.plain, residue, found
        return None if best is None else best[2]

    def _fold(self, tower: onnx.ModelProto, run: Any, draw: _Draw, sigmoid: bool) -> Tower | None:
        """A weighted Manhattan or squared distance: the weights go into the tower."""
        shape = draw.shape
        size = int(np.prod(shape))
        zeros = np.zeros((size + 1, *shape), np.float32)
        steps = np.concatenate([np.zeros((1, size), np.float32), np.eye(size, dtype=np.float32)]).reshape(-1, *shape)
        # Every picture but the first takes the step, so each number of the answer sees it whatever its pair.
        answers = run(zeros, *([steps] * (self._count - 1)))
        flat = np.asarray(answers[0], np.float64)
        if flat.size % (size + 1):
            return None
        column = flat.reshape(size + 1, -1)[:, 0] if flat.shape[0] == size + 1 else flat.reshape(-1, size + 1)[0]
        weights = column[1:] - column[0]
        largest = float(np.abs(weights).max(initial=0.0))
        if not largest:
            return None
        weights[np.abs(weights) < 1e-6 * largest] = 0
        probes = [draw.near(_PROBES) for _ in range(self._count)]
        # An answer that is lower for unlike pictures than for alike ones says how near they are, not how far.
        says_near = float(next(self._columns(run(*probes)))[0].mean()) < column[0]
        for metric, scales in _foldings(-weights if says_near else weights):
            scaled = [np.concatenate([probe.reshape(_PROBES, -1) * scale for scale in scales], 1) for probe in probes]
            columns = list(self._columns(run(*probes)))
            relations = [self._relation(scaled, scores, sigmoid, (metric,)) for scores, sigmoid in columns]
            if all(relations):
                folded = onnx.ModelProto()
                folded.CopyFrom(tower)
                scale_output(folded, scales)
                return Tower(folded, tuple(found for found in relations if found), folded=True)
        return None


def _foldings(weights: Floats) -> Iterator[tuple[str, list[npt.NDArray[np.float32]]]]:
    """Metrics that a weighted sum of differences may be, and what the tower's vector is multiplied by for each."""
    up, down = np.maximum(weights, 0), np.maximum(-weights, 0)
    if up.any() and down.any():
        # Differences that speak for two persons, and those that speak for one: a half of the vector each.
        yield "signed", [part.astype(np.float32) for part in (up, down)]
        return
    yield "manhattan", [(up + down).astype(np.float32)]
    yield "squared", [np.sqrt(up + down).astype(np.float32)]


def _leaves(flow: _Flow, output: str) -> list[str]:
    """The tensors that an output is put together of, in its order, behind what only moves numbers about."""
    node = flow.makers[output]
    if node.op_type not in _MOVERS:
        return [output]
    sources = list(node.input) if node.op_type == "Concat" else [node.input[0]]
    if any(len(flow.sources(name)) < 2 or name not in flow.makers for name in sources):
        return [output]
    return [leaf for name in sources for leaf in _leaves(flow, name)]


class _Draw:
    """Vectors like a tower's: its own ones, moved a little or a lot, of length 1 where its own are."""

    def __init__(self, vectors: Array) -> None:
        self.shape = vectors.shape[1:]
        self._own = vectors.reshape(len(vectors), -1)
        self._random = np.random.default_rng(0)
        norms = np.linalg.norm(self._own, axis=1)
        self._unit = bool(np.abs(norms - 1).max() < 1e-3)

    def near(self, count: int) -> Array:
        rows = self._own[self._random.integers(0, len(self._own), count)]
        reach = float(self._own.std()) or 1.0
        amount = self._random.uniform(0.1, 2.0, (count, 1)) * reach
        moved = rows + amount * self._random.standard_normal(rows.shape)
        if self._unit:
            moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        return np.ascontiguousarray(moved.reshape(count, *self.shape), np.float32)


def _line(x: Floats, y: Floats) -> tuple[float, float, float]:
    """The slope and offset of the straight line through the points, and the largest residue as a share of y's range."""
    spread = float(np.ptp(y))
    if not np.isfinite(y).all() or spread <= 1e-9 or np.ptp(x) <= 1e-9:
        return 0.0, 0.0, float("inf")
    (slope, offset), *_ = np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), y, rcond=None)
    return float(slope), float(offset), float(np.abs(slope * x + offset - y).max() / spread)
