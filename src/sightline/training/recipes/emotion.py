"""Recipe `emotion`: a facial-expression network for 48x48 grey face crops.

Data: ``train/CLASS/*`` and ``valid/CLASS/*`` (FER2013; Goodfellow et al. 2013, arXiv 1307.0414),
its own ``fer2013.csv``, or plain class folders; beside them, if there, ``votes.csv``: ten annotators' votes a picture
(FER+; Barsoum et al. 2016, arXiv 1608.01041).

The label that is judged is FER2013's, the votes are cleaner. So the network learns both: its
head a mixture that leans to the label, a second head the votes alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import augment, plots
from ..card import figure
from ..datasets import ClassSet, held_out, pixel_keys, read_class_folders, read_fer_csv
from ..export import Session
from ..finish import finish, write_file
from ..loop import Plan, fit, seed_everything
from ..metrics import calibration_error, confusion, fit_temperature
from ..nets.blocks import channels_last
from ..nets.emotion import EMOTIONS, EmotionClassic, EmotionNet
from ..order import Order, Outcome

__all__ = ["EmotionLesson", "Faces", "predict", "read_faces", "train"]

SIDE = 48
VOTES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}
"""FER+'s columns and the classes they vote for; contempt, unknown and not_a_face are left out."""


@dataclass(frozen=True)
class Faces:
    """The three parts: ``train`` to learn from, ``tune`` a tenth of it held out, ``valid`` to quote.

    ``votes``: float32, train's length x 7, rows adding up to 1, or to 0 where nobody voted.
    ``dropped``: pictures of ``valid`` that are pixel for pixel in the training folder.
    """

    train: ClassSet
    votes: Tensor
    tune: ClassSet
    valid: ClassSet
    dropped: int


def read_votes(path: Path, names: tuple[str, ...]) -> Tensor:
    """Each named picture's share of votes a class; zeros where it has none."""
    shares = torch.zeros(len(names), len(EMOTIONS))
    if not path.exists():
        return shares
    rows = {name: number for number, name in enumerate(names)}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            number = rows.get(row["file"].removeprefix("train/"))
            if number is None or int(row["not_a_face"]) >= 5:
                continue
            for column, emotion in VOTES.items():
                shares[number, EMOTIONS.index(emotion)] = float(row[column])
    return shares / shares.sum(1, keepdim=True).clamp(min=1)


def read_faces(data: Path) -> Faces:
    """Reads ``data`` and splits it by the hash of the pixels, so that doubles stay together."""
    table = data if data.suffix == ".csv" else data / "fer2013.csv"
    if table.exists():
        return _split(
            read_fer_csv(table, "Training", EMOTIONS), read_fer_csv(table, "PublicTest", EMOTIONS), table.parent
        )
    both = (data / "train").is_dir()
    everything = read_class_folders(data / "train" if both else data, (SIDE, SIDE), grey=True, classes=EMOTIONS)
    valid = None
    if (data / "valid").is_dir():
        valid = read_class_folders(data / "valid", (SIDE, SIDE), grey=True, classes=EMOTIONS)
    return _split(everything, valid, data)


def _split(everything: ClassSet, valid: ClassSet | None, data: Path) -> Faces:
    keys = pixel_keys(everything.pictures)
    tenth = held_out(keys, 10)
    train, tune = everything.take((~tenth).nonzero()[:, 0]), everything.take(tenth.nonzero()[:, 0])
    votes = read_votes(data / "votes.csv", train.names)
    if valid is None:
        return Faces(train, votes, tune, tune, 0)
    known = set(keys)
    fresh = [n for n, key in enumerate(pixel_keys(valid.pictures)) if key not in known]
    return Faces(train, votes, tune, valid.take(fresh), len(valid) - len(fresh))


@torch.inference_mode()
def predict(model: nn.Module, pictures: Tensor, *, mirrored: bool = False, batch: int = 256) -> Tensor:
    """Logits (count x 7) of uint8 pictures; ``mirrored`` averages those of the mirror images in."""
    model.eval()
    parts = []
    for chunk in pictures.split(batch):
        x = (chunk.float() / 255).contiguous(memory_format=torch.channels_last)
        logits = model(x).float()
        parts.append((logits + model(x.flip(3)).float()) / 2 if mirrored else logits)
    return torch.cat(parts)


class EmotionLesson:
    """Expressions, as `loop.Lesson` asks."""

    def __init__(self, faces: Faces, plan: Plan, *, batch: int = 128, hard: float = 0.75, grows: bool = True) -> None:
        self.faces, self.plan, self.batch, self.grows = faces, plan, batch, grows
        one_hot = F.one_hot(faces.train.labels, len(EMOTIONS)).float()
        voted = faces.votes.sum(1, keepdim=True) > 0
        votes = torch.where(voted, faces.votes, one_hot)
        smooth = 0.05 / len(EMOTIONS)
        self.targets = 0.95 * (hard * one_hot + (1 - hard) * votes) + smooth
        self.votes = 0.95 * votes + smooth
        self.affine = augment.Affine(coverage=(0.78, 1.08), degrees=14, shift=0.04, aspect=0.1)

    def size(self, epoch: int) -> int:
        """Side of the training crops: small ones first, they cost less and teach as much early on."""
        if not self.grows:  # the classic network's dense layer fixes its size
            return SIDE
        progress = epoch / max(1, self.plan.epochs)
        return 40 if progress < 0.45 else 44 if progress < 0.7 else SIDE

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        size = self.size(epoch)
        order = torch.randperm(len(self.faces.train), generator=generator)
        for rows in order.split(self.batch):
            if len(rows) < min(self.batch, len(order)):
                continue
            x = self.faces.train.pictures[rows].float() / 255
            x = augment.warp(x, self.affine.draw(len(rows), generator), (size, size))
            x = augment.gamma(x, 0.35, generator)
            x = augment.brightness_contrast(x, 0.1, 0.3, generator)
            x = augment.blur(x, 0.9, 0.15, generator)
            x = augment.noise(x, 0.05, 0.3, generator)
            late = epoch >= self.plan.epochs // 2
            x = augment.erase(x, (0.15, 0.4), 0.2 if late else 0.4, generator)
            targets, votes = self.targets[rows], self.votes[rows]
            # Mixup (Zhang et al. 2018) in the first half only: a short run must fit in the end.
            if not late and bool(augment.chance(1, 0.4, generator)):
                share = 0.5 + 0.5 * float(augment.uniform(1, 0, 1, generator)) ** 0.5
                other = torch.randperm(len(rows), generator=generator)
                x = share * x + (1 - share) * x[other]
                targets = share * targets + (1 - share) * targets[other]
                votes = share * votes + (1 - share) * votes[other]
            yield x.contiguous(memory_format=torch.channels_last), targets, votes

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        x, targets, votes = batch
        if not hasattr(model, "both"):  # the classic network has one head
            return F.cross_entropy(model(x).float(), targets)
        logits, voted = model.both(x)  # type: ignore[operator]
        return F.cross_entropy(logits.float(), targets) + 0.5 * F.cross_entropy(voted.float(), votes)

    def validate(self, model: nn.Module) -> dict[str, float]:
        logits = predict(model, self.faces.tune.pictures)
        labels = self.faces.tune.labels
        right = (logits.argmax(1) == labels).float()
        recalls = [float(right[labels == c].mean()) for c in range(len(EMOTIONS)) if bool((labels == c).any())]
        return {
            "accuracy": float(right.mean()),
            "balanced_accuracy": sum(recalls) / len(recalls),
            "valid_loss": float(F.cross_entropy(logits, labels)),
        }


def build(architecture: str = "emotion-net") -> nn.Module:
    """`emotion-net` or `emotion-classic`; channels last."""
    net = EmotionClassic() if architecture == "emotion-classic" else EmotionNet()
    return channels_last(net)


def make_plan(order: Order, items: int, batch: int) -> Plan:
    """60 epochs; where there are few pictures, smaller batches and a shorter memory of the average."""
    steps = max(1, items // batch)
    average = min(0.999, 1 - 1 / max(10.0, steps * 5))
    classic = order.options.get("architecture") == "emotion-classic"
    return Plan(
        epochs=order.epochs or 60,
        steps=steps,
        rate=0.02 if classic else 0.1,
        average=average,
        patience=int(order.options.get("patience", 0)),
        seed=order.seed,
    )


def refit_head(model: EmotionNet, train: ClassSet, decay: float = 1e-3) -> None:
    """Learns the last layer anew, on the features of untouched pictures and the labels alone.

    While the features were learnt, mixtures, votes and smoothing drew the head towards "neutral";
    the features do not mind, the head does (classifier re-training; Kang et al. 2020, arXiv
    1910.09217). A logistic regression: convex, so the same result every time.
    """
    model.eval()
    parts = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for chunk in train.pictures.split(128):
            x = (chunk.float() / 255).contiguous(memory_format=torch.channels_last)
            parts.append(model.features(x).float())
    features = torch.cat(parts).clone()
    mean, deviation = features.mean(0), features.std(0) + 1e-4
    scaled = (features - mean) / deviation
    weights = torch.zeros(scaled.shape[1], len(EMOTIONS), requires_grad=True)
    bias = torch.zeros(len(EMOTIONS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(scaled @ weights + bias, train.labels) + decay * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        found = weights / deviation[:, None]
        model.head.weight.copy_(found.T)
        model.head.bias.copy_(bias - mean @ found)


def judge(path: Path, faces: Faces, command: str) -> tuple[float, list[dict[str, Any]], np.ndarray]:
    """Temperature (fitted on ``tune``), the figures of the file on ``valid``, and its confusion matrix."""
    session = Session(path)

    def logits(part: ClassSet, *, mirrored: bool = False) -> Tensor:
        pixels = part.pictures.numpy().astype(np.float32) / 255
        straight = torch.from_numpy(session.run(pixels)[0])
        if not mirrored:
            return straight
        return (straight + torch.from_numpy(session.run(pixels[..., ::-1].copy())[0])) / 2

    temperature = fit_temperature(logits(faces.tune), faces.tune.labels)
    labels, n, figures = faces.valid.labels.numpy(), len(faces.valid), []
    name = "valid without train's doubles" if faces.dropped else "held out"
    table = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    for mirrored in (False, True):
        found = logits(faces.valid, mirrored=mirrored)
        counts = confusion(found.argmax(1).numpy(), labels, len(EMOTIONS))
        recalls = counts.diagonal() / counts.sum(1).clip(min=1)
        suffix = "_mirrored" if mirrored else ""
        present = counts.sum(1) > 0
        figures += [
            figure(name, "accuracy" + suffix, counts.trace() / n, n, command),
            figure(name, "balanced_accuracy" + suffix, recalls[present].mean(), n, command),
        ]
        if not mirrored:
            table = counts
            for kind, scale in (("raw", 1.0), ("calibrated", temperature)):
                shares = (found / scale).softmax(1).numpy()
                figures.append(figure(name, f"calibration_error_{kind}", calibration_error(shares, labels), n, command))
    return temperature, figures, table


def train(order: Order) -> Outcome:
    """Reads, learns, exports, measures the exported file, and writes the card."""
    faces = read_faces(order.data)
    batch = min(128, max(8, len(faces.train) // 8))
    plan = make_plan(order, len(faces.train), batch)
    seed_everything(order.seed)
    architecture = str(order.options.get("architecture", "emotion-net"))
    model = build(architecture)
    lesson = EmotionLesson(faces, plan, batch=batch, grows=architecture != "emotion-classic")
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report)
    return publish(order, model, faces, architecture)


def publish(order: Order, model: nn.Module, faces: Faces, architecture: str) -> Outcome:
    """Head, export, figures, plots and card of a trained ``model``."""
    if isinstance(model, EmotionNet):
        refit_head(model, faces.train)
    example = faces.tune.pictures[:3].float() / 255
    path, parity = write_file(model, example, order, ("logits",))
    command = order.command("emotion")
    temperature, figures, table = judge(path, faces, command)
    plots.confusion_matrix(table, EMOTIONS, order.out / "confusion.png")
    samples = faces.valid.take(range(0, len(faces.valid), max(1, len(faces.valid) // 48)))
    guesses = predict(model, samples.pictures).argmax(1).tolist()
    captions = [f"{EMOTIONS[t][:7]} > {EMOTIONS[g][:7]}" for t, g in zip(samples.labels.tolist(), guesses, strict=True)]
    plots.sheet(list(samples.pictures[:, 0].numpy()), captions, order.out / "samples.png", side=112)
    facts = {
        "name": "emotion-small" if architecture == "emotion-net" else architecture,
        "version": "1",
        "task": "emotion",
        "architecture": "expression",
        "network": architecture,
        "labels": list(EMOTIONS),
        "temperature": round(temperature, 4),
        # Roughly how FER2013's crops lie against BlazeFace's boxes.
        "margin": 1.184,
        "shift_down": -0.103,
        "licence": "Apache-2.0 (weights); trained on data for research use only",
        "research_only": True,
        "training_data": f"FER2013 train: {len(faces.train)} faces (a tenth of the folder held out), with FER+ votes",
        "paper": "data: Goodfellow et al. 2013, Barsoum et al. 2016; network: He et al. 2016, Hu et al. 2018",
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "layout": "NCHW",
            "colour": "grey",
            "dtype": "float32",
            "mean": [0.0],
            "scale": [1 / 255],
        },
        "output": {"logits": "batch x 7; softmax(logits / temperature) are the scores"},
    }
    return finish(order, facts, path, parity, figures)
