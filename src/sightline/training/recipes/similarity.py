"""Recipe `similarity`: a siamese network that puts faces of one person near each other.

Data: a folder a person with aligned colour faces (a CelebA subset; Liu et al. 2015, arXiv
1411.7766). A tenth of the people, by a hash of their name, is never trained on: pairs of their
faces say when to stop. Batches hold a few faces of each of a few people, so that triplets can be
mined inside them (Hermans et al. 2017, arXiv 1703.07737); beside the triplets a margin softmax
over the people gives every face a direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import augment, plots
from ..card import figure
from ..datasets import ClassSet, DataError, held_out, read_class_folders
from ..discriminant import discriminant, principal_components
from ..export import Session
from ..finish import finish, write_file
from ..loop import Plan, fit, seed_everything
from ..metrics import area_under_curve, best_threshold, verification
from ..nets.blocks import channels_last
from ..nets.faceprint import FacePrint, PrintStem
from ..nets.siamese import FaceEmbedder, MarginHead
from ..order import Order, Outcome

__all__ = ["Persons", "SiameseTrainer", "SimilarityLesson", "build", "embed", "read_persons", "train", "triplet_loss"]

SIDE = 112
TEMPLATE = [[38.7, 51.5], [73.4, 51.5], [56.1, 75.3], [41.1, 87.4], [71.9, 87.4]]
"""Where eyes, nose tip and mouth corners lie in a 112x112 face, x then y, in pixels: medians of
the training faces, measured with a face mesh. Whoever aligns other faces brings them here."""


@dataclass(frozen=True)
class Persons:
    """``train`` to learn from; ``tune``, people that are not in it, to choose the epoch by."""

    train: ClassSet
    tune: ClassSet


def read_persons(data: Path, side: int = SIDE) -> Persons:
    """Reads ``data``; labels of ``train`` count its own people from 0."""
    everything = read_class_folders(data, (side, side), grey=False)
    if len(everything.classes) < 4:
        raise DataError(f"{data} holds {len(everything.classes)} people; at least 4 are needed")
    apart = held_out(everything.classes, 10)
    if int(apart.sum()) < 2:
        apart = torch.arange(len(apart)) % max(2, len(apart) // 2) == 0
    outside = apart[everything.labels]
    return Persons(_recount(everything, ~outside), _recount(everything, outside))


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
        x = (chunk.float() / 255).contiguous(memory_format=torch.channels_last)
        points = model(x).float()
        parts.append(F.normalize(points + model(x.flip(3)).float(), dim=1) if mirrored else points)
    return torch.cat(parts)


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
        self.head = MarginHead(128, people)

    def forward(self, x: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
        points = self.tower(x).float()
        return self.head(points, people), triplet_loss(points, people)


class SimilarityLesson:
    """Faces of people, as `loop.Lesson` asks."""

    def __init__(self, persons: Persons, plan: Plan, *, people: int = 16, faces: int = 4) -> None:
        self.persons, self.plan, self.people, self.faces = persons, plan, people, faces
        self.rows = [(persons.train.labels == p).nonzero()[:, 0] for p in range(len(persons.train.classes))]
        self.affine = augment.Affine(coverage=(0.86, 1.1), degrees=8, shift=0.03, aspect=0.05)

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        # An epoch shows as many faces as there are. Every person is met about equally often.
        for _ in range(self.plan.steps):
            index = mined_rows(self.rows, self.people, self.faces, generator)
            x = self.persons.train.pictures[index].float() / 255
            x = augment.warp(x, self.affine.draw(len(x), generator), (SIDE, SIDE))
            yield self.disturb(x, generator), self.persons.train.labels[index]

    def disturb(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Light, camera and whatever stands before the face."""
        x = augment.gamma(x, 0.35, generator)
        x = augment.tint(x, 0.15, generator)
        x = augment.fade_colour(x, 0.0, 1.3, generator)
        x = augment.shade(x, 0.12, generator)
        x = augment.brightness_contrast(x, 0.1, 0.35, generator)
        x = augment.blur(x, 1.8, 0.35, generator)
        x = augment.noise(x, 0.05, 0.3, generator)
        x = augment.erase(x, (0.15, 0.45), 0.4, generator)
        return x.contiguous(memory_format=torch.channels_last)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        margin, triplet = model(*batch)
        return margin + triplet

    def validate(self, model: nn.Module) -> dict[str, float]:
        tower = model.tower if isinstance(model, SiameseTrainer) else model
        points = embed(tower, self.persons.tune.pictures).numpy()
        similarity, same = pairs(points, self.persons.tune.labels.numpy())
        threshold = best_threshold(similarity, same)
        figures = {"accuracy": float(((similarity >= threshold) == same).mean())}
        return figures | {"auc": area_under_curve(similarity, same)}


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
    """Similarities and truths of `pair_rows`."""
    first, second, same = pair_rows(people)
    return (points[first] * points[second]).sum(1), same


def build(people: int) -> SiameseTrainer:
    """Convolutional tower and head, channels last."""
    net = SiameseTrainer(FaceEmbedder(), people)
    channels_last(net)
    return net


class PrintTrainer(nn.Module):
    """The learned part of `FacePrint`, on principal components, and the margin head beside it."""

    def __init__(self, start: Tensor, coordinates: Tensor, people: Tensor) -> None:
        super().__init__()
        # Only directions matter to cosines; this scale suits the optimiser's steps.
        self.projection = nn.Parameter(start / start.std() * 0.05)
        self.head = MarginHead(start.shape[1], int(people.max()) + 1, margin=0.15)
        with torch.no_grad():
            points = self.points(coordinates)
            centres = [points[people == person].mean(0) for person in range(len(self.head.directions))]
            self.head.directions.copy_(F.normalize(torch.stack(centres), dim=1))

    def points(self, coordinates: Tensor) -> Tensor:
        return F.normalize(coordinates @ self.projection, dim=1)

    def forward(self, coordinates: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
        points = self.points(coordinates)
        return self.head(points, people), triplet_loss(points, people)


class PrintsLesson:
    """Coordinates of faces' descriptors and who they are, as `loop.Lesson` asks."""

    def __init__(self, train: Tensor, people: Tensor, tune: Tensor, strangers: Tensor, steps: int) -> None:
        self.train, self.people, self.tune, self.strangers, self.steps = train, people, tune, strangers, steps
        self.rows = [(people == person).nonzero()[:, 0] for person in range(int(people.max()) + 1)]
        self.spread = train.std(0)

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            index = mined_rows(self.rows, 32, 4, generator)
            x = self.train[index]
            grain = torch.empty_like(x).normal_(generator=generator)
            yield x + 0.7 * self.spread * grain, self.people[index]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        margin, triplet = model(*batch)
        return margin + triplet

    def validate(self, model: nn.Module) -> dict[str, float]:
        points = model.points(self.tune).numpy()  # type: ignore[operator]
        similarity, same = pairs(points, self.strangers.numpy())
        threshold = best_threshold(similarity, same)
        figures = {"accuracy": float(((similarity >= threshold) == same).mean())}
        return figures | {"auc": area_under_curve(similarity, same)}


@torch.inference_mode()
def describe(stem: PrintStem, pictures: Tensor, batch: int = 64) -> Tensor:
    """Descriptors (count x numbers) of uint8 RGB faces."""
    return torch.cat([stem(chunk.float() / 255) for chunk in pictures.split(batch)]).clone()


def make_plan(order: Order, items: int, batch: int, *, tower: bool) -> Plan:
    """The epoch with the best area under the curve on people held out is kept."""
    steps = max(1, items // batch)
    return Plan(
        epochs=order.epochs or (60 if tower else 6),
        steps=steps,
        rate=2e-3 if tower else 1.5e-4,
        optimiser="adamw",
        weight_decay=5e-2 if tower else 0.0,
        average=min(0.995 if tower else 0.99, 1 - 1 / max(5.0, steps * 3.6)),
        watch="auc",
        seed=order.seed,
        bfloat16=tower,
    )


def train(order: Order) -> Outcome:
    """Reads, learns, exports, measures the exported file on people held out, and writes the card."""
    persons = read_persons(order.data)
    tower = order.options.get("architecture") == "tower"
    seed_everything(order.seed)
    learn = learn_tower if tower else learn_prints
    return publish(order, learn(order, persons), persons)


def learn_tower(order: Order, persons: Persons) -> nn.Module:
    """A convolutional tower: for tens of thousands of faces."""
    people = min(16, len(persons.train.classes))
    plan = make_plan(order, len(persons.train), people * 4, tower=True)
    model = build(len(persons.train.classes))
    lesson = SimilarityLesson(persons, plan, people=people)
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report)
    return Mirrored(model.tower)


def learn_prints(order: Order, persons: Persons) -> nn.Module:
    """Fixed descriptors and a learned projection: for a few thousand faces.

    The projection starts at Fisher's discriminant, which knows every pair at once; margin softmax
    and mined triplets go on from there for as long as people held out gain by it.
    """
    stem = PrintStem().eval()
    features = describe(stem, persons.train.pictures)
    components = principal_components(features, 1500)
    coordinates = components.coordinates(features)
    people = persons.train.labels
    start = discriminant(coordinates, people, 128)
    model = PrintTrainer(start, coordinates, people)
    plan = make_plan(order, len(persons.train), min(128, len(persons.train) // 2), tower=False)
    tune = components.coordinates(describe(stem, persons.tune.pictures))
    lesson = PrintsLesson(coordinates, people, tune, persons.tune.labels, plan.steps)
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report)
    # Lengths are free, and float16 holds numbers near 1 best.
    projection = components.axes @ model.projection.detach()
    return FacePrint(stem, components.mean, projection / projection.abs().max())


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
    example = persons.tune.pictures[:3].float() / 255
    path, parity = write_file(model.eval(), example, order, ("embedding",))
    session = Session(path)
    x = persons.tune.pictures.numpy().astype(np.float32) / 255
    points = session.run(x)[0]
    similarity, same = pairs(points, persons.tune.labels.numpy())
    folds = np.arange(len(same)) % 10
    found = verification(similarity, same, folds)
    name = f"pairs of {len(persons.tune.classes)} people held out (they chose the epoch)"
    figures = [
        figure(name, metric.replace("1e_", "1e-"), value, len(same), command)
        for metric, value in asdict(found).items()
        if metric != "threshold"
    ]
    plots.roc(similarity, same, order.out / "roc.png")
    order_of = np.argsort(similarity)
    wrong = [n for n in order_of if same[n]][:8] + [n for n in order_of[::-1] if not same[n]][:8]
    first, second, _ = pair_rows(persons.tune.labels.numpy())
    tiles = [np.hstack([_face(persons, first[n]), _face(persons, second[n])]) for n in wrong]
    captions = [f"{'same' if same[n] else 'different'} {similarity[n]:.2f}" for n in wrong]
    plots.sheet(tiles, captions, order.out / "samples.png", columns=4, side=224)
    facts: dict[str, Any] = {
        "name": "siamese-small",
        "version": "1",
        "task": "similarity",
        "architecture": "siamese-tower" if order.options.get("architecture") == "tower" else "faceprint",
        "labels": [],
        "thresholds": {"same_person": round(found.threshold, 4)},
        "licence": "Apache-2.0 (weights); trained on data for non-commercial research only",
        "research_only": True,
        "training_data": f"CelebA subset, {len(persons.train)} faces of {len(persons.train.classes)} people",
        "note": "A fallback for machines without a network; the pulled face network is far better.",
        "paper": "Wang et al. 2018, arXiv 1801.09414; Hermans et al. 2017, arXiv 1703.07737; Belhumeur et al. 1997",
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "fit": "similarity transform of eyes, nose tip and mouth corners",
            "points": TEMPLATE,
            "layout": "NCHW",
            "colour": "RGB",
            "dtype": "float32",
            "mean": [0.0, 0.0, 0.0],
            "scale": [1 / 255, 1 / 255, 1 / 255],
        },
        "output": {"embedding": "batch x 128, length 1, mirror image averaged in; compare by cosine"},
    }
    return finish(order, facts, path, parity, figures)


def _face(persons: Persons, row: int) -> np.ndarray:
    return persons.tune.pictures[row].permute(1, 2, 0).numpy()
