"""Recipe `similarity`: a siamese network that puts faces of one person near each other.

Data: a folder a person with aligned colour faces (a CelebA subset; Liu et al. 2015, arXiv
1411.7766). A tenth of the people, by a hash of their name, is never trained on: pairs of their
faces say which epoch to keep. Batches hold a few faces of each of a few people, so that triplets
can be mined inside them (Hermans et al. 2017, arXiv 1703.07737); beside the triplets a margin
softmax over the people gives every face a direction.

With a ``teacher`` (the card of a larger face network) the network also learns where the teacher
puts each face, and then faces without a name teach too: those below the folder ``unlabelled``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.evaluation.similarity import Pairs, auc, best_threshold, figures, fit_logistic

from .. import augment, plots
from ..card import figure
from ..datasets import ClassSet, DataError, held_out, read_class_folders
from ..export import Session
from ..finish import finish, write_file
from ..loop import Plan, fit, seed_everything
from ..nets.blocks import channels_last
from ..nets.siamese import FaceEmbedder, MarginHead
from ..order import Order, Outcome
from ..teachers.faces import Taught, learn_from

__all__ = ["Persons", "SiameseTrainer", "SimilarityLesson", "build", "embed", "read_persons", "train", "triplet_loss"]

SIDE = 96
STORED = 112
"""Training faces are kept larger than the network sees them, so that zooming in shows detail."""

MARGIN, SHIFT_DOWN = 1.31, -0.175
"""The square of an aligned face against BlazeFace's box: side over side, and centre below centre in box sides."""


@dataclass(frozen=True)
class Persons:
    """``train`` to learn from; ``tune``, people that are not in it, to choose the epoch by.

    ``vectors``: the teacher's for each face of ``train`` (count x D), None without a teacher. ``nameless``: faces that
    only the teacher knows.
    """

    train: ClassSet
    tune: ClassSet
    vectors: Tensor | None = None
    nameless: Taught | None = None


def read_persons(data: Path, side: int = STORED) -> Persons:
    """Reads ``data``, whose faces are taken to be aligned; labels of ``train`` count its own people from 0."""
    everything = read_class_folders(data, (side, side), grey=False)
    apart = people_apart(everything)
    return Persons(_recount(everything, ~apart), _recount(everything, apart))


def taught_persons(known: Taught, nameless: Taught | None) -> Persons:
    """The same split of faces that a teacher has seen; the first part of a name is the person."""
    people = [Path(name).parts[0] for name in known.names]
    classes, labels = np.unique(people, return_inverse=True)
    everything = ClassSet(known.pictures, torch.from_numpy(labels), known.names, tuple(classes.tolist()))
    apart = people_apart(everything)
    return Persons(_recount(everything, ~apart), _recount(everything, apart), known.vectors[~apart], nameless)


def people_apart(everything: ClassSet) -> Tensor:
    """Booleans: which faces show a person of the held-out tenth."""
    if len(everything.classes) < 4:
        raise DataError(f"there are {len(everything.classes)} people; at least 4 are needed")
    apart = held_out(everything.classes, 10)
    if int(apart.sum()) < 2:
        apart = torch.arange(len(apart)) % max(2, len(apart) // 2) == 0
    return apart[everything.labels]


def _recount(everything: ClassSet, flags: Tensor) -> ClassSet:
    part = everything.take(flags.nonzero()[:, 0])
    kept, labels = part.labels.unique(return_inverse=True)
    return ClassSet(part.pictures, labels, part.names, tuple(everything.classes[k] for k in kept.tolist()))


@torch.inference_mode()
def embed(model: nn.Module, pictures: Tensor, *, mirrored: bool = True, batch: int = 128) -> Tensor:
    """Points (count x size, length 1) of uint8 RGB faces; ``mirrored`` adds those of the mirror images."""
    model.eval()
    parts = []
    for chunk in pictures.split(batch):
        x = shrink(chunk).contiguous(memory_format=torch.channels_last)
        points = model(x).float()
        parts.append(F.normalize(points + model(x.flip(3)).float(), dim=1) if mirrored else points)
    return torch.cat(parts)


def shrink(pictures: Tensor) -> Tensor:
    """uint8 faces of any side as the network takes them: float32, count x 3 x 96 x 96, 0..1."""
    return F.interpolate(pictures.float() / 255, (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)


def triplet_loss(points: Tensor, people: Tensor, margin: float = 0.25) -> Tensor:
    """Batch-hard triplets on cosine distance: each face with its furthest friend and nearest stranger."""
    distances = 1 - points @ points.t()
    same = people[:, None] == people[None]
    furthest = distances.masked_fill(~same, -1).amax(1)
    nearest = distances.masked_fill(same, 3).amin(1)
    return F.relu(furthest - nearest + margin).mean()


def mined_rows(rows: Sequence[Tensor], people: int, faces: int, generator: torch.Generator) -> Tensor:
    """``faces`` faces of each of up to ``people`` people: rows of the set, person by person."""
    chosen = torch.randperm(len(rows), generator=generator)[:people]
    index = []
    for person in chosen.tolist():
        own = rows[person]
        picks = torch.randperm(max(faces, len(own)), generator=generator)[:faces]
        index.append(own[picks % len(own)])
    return torch.cat(index)


class SiameseTrainer(nn.Module):
    """The tower and the margin head that only training needs."""

    def __init__(self, tower: FaceEmbedder, people: int) -> None:
        super().__init__()
        self.tower = tower
        self.head = MarginHead(tower.size, people)

    def forward(self, x: Tensor) -> Tensor:
        return self.tower(x).float()


@dataclass(frozen=True)
class FaceBatch:
    """``x``: the faces, those with a name first; ``people``: whose they are, one each for the first ones;
    ``vectors``: where the teacher puts each of ``x``, None without a teacher."""

    x: Tensor
    people: Tensor
    vectors: Tensor | None


class SimilarityLesson:
    """Faces of people, as `loop.Lesson` asks: ``people`` x ``faces`` of them with a name, ``nameless`` without."""

    def __init__(
        self, persons: Persons, plan: Plan, *, people: int = 16, faces: int = 4, nameless: int = 0, names: float = 1.0
    ) -> None:
        self.persons, self.plan, self.people, self.faces = persons, plan, people, faces
        self.nameless, self.names = nameless, names
        self.rows = [(persons.train.labels == p).nonzero()[:, 0] for p in range(len(persons.train.classes))]
        # A face found by a box alone lies less exactly than an aligned one: the network must not mind.
        self.affine = augment.Affine(coverage=(0.84, 1.14), degrees=10, shift=0.04, aspect=0.05)

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[FaceBatch]:
        # Every person is met about equally often, every nameless face about once an epoch.
        strangers = self.persons.nameless
        order = torch.randperm(len(strangers.pictures), generator=generator) if strangers else None
        for step in range(self.plan.steps):
            index = mined_rows(self.rows, self.people, self.faces, generator)
            pictures, vectors = self.persons.train.pictures[index], None
            if self.persons.vectors is not None:
                vectors = self.persons.vectors[index]
                if strangers is not None and order is not None:
                    at = torch.arange(step * self.nameless, (step + 1) * self.nameless) % len(order)
                    pictures = torch.cat([pictures, strangers.pictures[order[at]]])
                    vectors = torch.cat([vectors, strangers.vectors[order[at]]])
            x = augment.warp(pictures.float() / 255, self.affine.draw(len(pictures), generator), (SIDE, SIDE))
            yield FaceBatch(self.disturb(x, generator), self.persons.train.labels[index], vectors)

    def disturb(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Light, camera and whatever stands before the face."""
        x = augment.gamma(x, 0.3, generator)
        x = augment.tint(x, 0.12, generator)
        x = augment.fade_colour(x, 0.0, 1.3, generator)
        x = augment.brightness_contrast(x, 0.1, 0.3, generator)
        x = augment.blur(x, 1.2, 0.3, generator)
        x = augment.noise(x, 0.04, 0.25, generator)
        x = augment.erase(x, (0.1, 0.35), 0.2, generator)
        return x.contiguous(memory_format=torch.channels_last)

    def loss(self, model: nn.Module, batch: FaceBatch) -> Tensor:
        points = model(batch.x)
        named = points[: len(batch.people)]
        loss = model.head(named, batch.people) + triplet_loss(named, batch.people)  # type: ignore[operator]
        if batch.vectors is None:
            return loss
        return self.names * loss + 10 * (1 - (points * batch.vectors).sum(1)).mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        tower = model.tower if isinstance(model, SiameseTrainer) else model
        points = embed(tower, self.persons.tune.pictures).numpy()
        distances, same = pairs(points, self.persons.tune.labels.numpy())
        accuracy = float(((distances < best_threshold(distances, same)) == same).mean())
        return {"accuracy": accuracy, "auc": auc(distances, same)}


def pair_rows(people: np.ndarray, limit: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to ``limit`` same and as many different pairs, always the same: first, second, truth."""
    first, second = np.triu_indices(len(people), 1)
    same = people[first] == people[second]
    draw = np.random.default_rng(seed)
    count = min(limit, int(same.sum()), int((~same).sum()))
    chosen = np.concatenate(
        [draw.choice(np.flatnonzero(same), count, False), draw.choice(np.flatnonzero(~same), count, False)]
    )
    return first[chosen], second[chosen], same[chosen]


def pairs(points: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and truths of `pair_rows`."""
    first, second, same = pair_rows(people)
    return np.linalg.norm(points[first] - points[second], axis=1).astype(np.float64), same


def build(people: int, size: int = 128) -> SiameseTrainer:
    """Tower and head, channels last."""
    net = SiameseTrainer(FaceEmbedder(size=size), people)
    channels_last(net)
    return net


def make_plan(order: Order, items: int, batch: int, *, taught: bool) -> Plan:
    """The epoch with the best area under the curve on people held out is kept."""
    steps = max(1, items // batch)
    return Plan(
        epochs=order.epochs or (14 if taught else 60),
        steps=steps,
        rate=2e-3,
        optimiser="adamw",
        weight_decay=5e-2,
        average=min(0.998 if taught else 0.995, 1 - 1 / max(5.0, steps * 3.6)),
        watch="auc",
        patience=int(order.options.get("patience", 0)),
        seed=order.seed,
    )


def train(order: Order) -> Outcome:
    """Reads, learns, exports, measures the exported file on people held out, and writes the card."""
    persons = read(order)
    seed_everything(order.seed)
    people = min(8 if persons.nameless else 16, len(persons.train.classes))
    extra = 96 if persons.nameless else 0
    items, batch = (len(persons.nameless.pictures), extra) if persons.nameless else (len(persons.train), people * 4)
    plan = make_plan(order, items, batch, taught=persons.vectors is not None)
    size = 128 if persons.vectors is None else persons.vectors.shape[1]
    model = build(len(persons.train.classes), size)
    lesson = SimilarityLesson(
        persons, plan, people=people, nameless=extra, names=1.0 if persons.vectors is None else 0.1
    )
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report)
    return publish(order, Mirrored(model.tower), persons)


def read(order: Order) -> Persons:
    """The people of ``order.data``, seen by a teacher if the order names one."""
    teacher = order.options.get("teacher")
    if teacher is None:
        return read_persons(order.data)
    folders = [order.data, *([Path(order.options["unlabelled"])] if "unlabelled" in order.options else [])]
    known, *others = learn_from(str(teacher), folders, STORED, order.out, order.report)
    return taught_persons(known, others[0] if others else None)


class Mirrored(nn.Module):
    """A tower that averages a face's point with its mirror image's."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.tower(x) + self.tower(x.flip(3)), dim=1)


def publish(order: Order, model: nn.Module, persons: Persons) -> Outcome:
    """Export, figures on people held out, plots and card of a trained ``model`` (faces to points)."""
    command = order.command("similarity")
    example = shrink(persons.tune.pictures[:3])
    path, parity = write_file(model.eval(), example, order, ("embedding",))
    session = Session(path)
    points = session.run(shrink(persons.tune.pictures).numpy())[0]
    distances, same = pairs(points, persons.tune.labels.numpy())
    middle, slope = fit_logistic(distances, same)
    threshold = best_threshold(distances, same)
    found = figures(distances, Pairs([], same, np.arange(len(same)) % 10), threshold)
    name = f"pairs of {len(persons.tune.classes)} people held out (they chose the epoch)"
    measured = [
        figure(name, metric, found[metric], len(same), command)
        for metric in ("accuracy", "accuracy_std", "auc", "tar_at_far_1e-2", "tar_at_far_1e-3")
    ]
    plots.roc(-distances, same, order.out / "roc.png")
    nearest = np.argsort(distances)
    wrong = [n for n in nearest[::-1] if same[n]][:8] + [n for n in nearest if not same[n]][:8]
    first, second, _ = pair_rows(persons.tune.labels.numpy())
    tiles = [np.hstack([_face(persons, first[n]), _face(persons, second[n])]) for n in wrong]
    captions = [f"{'same' if same[n] else 'different'} {distances[n]:.2f}" for n in wrong]
    plots.sheet(tiles, captions, order.out / "samples.png", columns=4, side=224)
    training_data = f"CelebA subset, {len(persons.train)} faces of {len(persons.train.classes)} people"
    if persons.nameless is not None:
        training_data += f", and {len(persons.nameless.pictures)} faces without names"
    if persons.vectors is not None:
        training_data += f"; taught by {order.options['teacher']}"
    facts: dict[str, Any] = {
        "name": "siamese-small",
        "version": "1",
        "task": "similarity",
        "architecture": "siamese",
        "labels": [],
        "thresholds": {"distance": round(threshold, 3)},
        "crop": "aligned",
        "metric": "euclidean",
        "middle": round(middle, 4),
        "slope": round(slope, 3),
        # How the aligned faces lie against a detector's boxes, for machines without a face mesh.
        "margin": MARGIN,
        "shift_down": SHIFT_DOWN,
        "licence": "Apache-2.0 (weights); trained on data for non-commercial research only",
        "research_only": True,
        "training_data": training_data,
        "note": "A fallback for machines without a network; the pulled face network is far better.",
        "paper": "Wang et al. 2018, arXiv 1801.09414; Hermans et al. 2017, arXiv 1703.07737",
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "layout": "NCHW",
            "colour": "RGB",
            "dtype": "float32",
            "mean": [0.0, 0.0, 0.0],
            "scale": [1 / 255, 1 / 255, 1 / 255],
        },
        "output": {"embedding": "batch x D, length 1, mirror image averaged in; compare by Euclidean distance"},
    }
    return finish(order, facts, path, parity, measured)


def _face(persons: Persons, row: int) -> np.ndarray:
    return persons.tune.pictures[row].permute(1, 2, 0).numpy()
