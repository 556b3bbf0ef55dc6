"""Recipe `classify`: a small network that names pictures, on folders named like their labels.

Data: ``train/LABEL/*`` and ``valid/LABEL/*``, or plain ``LABEL/*``, of which a tenth is held out to quote figures
on. Another tenth of what is learnt from chooses the epoch and the temperature. Both tenths are chosen by a hash of the
pixels: doubles stay on one side. A folder ``none_of_these`` is left out; it is for measuring.

``backbone`` is a checkpoint to start from: a ``checkpoint.pt`` of this recipe or of `portraits`, or a plain state dict
of `nets.mobilenet.MobileBackbone`. Without it the network starts from nothing, which needs some hundred pictures a
label; for a handful there is ``--head knn`` (``training/heads``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.errors import InvalidImage
from sightline.evaluation import split
from sightline.evaluation.classify import NONE, SUFFIXES
from sightline.images.decode import read
from sightline.images.framing import framed

from .. import augment, plots
from ..card import figure
from ..datasets import ClassSet, DataError, pixel_keys
from ..export import Session
from ..finish import finish, write_file
from ..heads.teach import name_of
from ..loop import Plan, fit, seed_everything
from ..metrics import calibration_error, confusion, fit_temperature
from ..nets.blocks import channels_last
from ..nets.picture import PictureNet
from ..order import Order, Outcome

__all__ = ["PictureLesson", "Pictures", "load_backbone", "predict", "read_pictures", "train"]

SIDE = 128
STORED = 160
"""Training pictures are kept larger than the network sees them, so that zooming in shows detail."""


@dataclass(frozen=True)
class Pictures:
    """``train`` (STORED pixels a side) to learn from; ``tune`` and ``valid`` (SIDE): to choose by, and to quote.

    ``dropped``: pictures of ``valid`` that are pixel for pixel in the training folder.
    """

    train: ClassSet
    tune: ClassSet
    valid: ClassSet
    dropped: int


def read_pictures(data: Path) -> Pictures:
    """Reads ``data`` and splits it. Raises `DataError` for fewer than two labels, or too few pictures to split."""
    apart = (data / "train").is_dir() and (data / "valid").is_dir()
    everything = _read(data / "train" if apart else data, STORED, None)
    keys = pixel_keys(everything.pictures)
    tune = split.held_out(keys, 10, 1)
    quoted = [False] * len(keys) if apart else split.held_out(keys, 10, 0)
    small = _read(data / "train" if apart else data, SIDE, everything.classes)
    dropped = 0
    if apart:
        valid = _read(data / "valid", SIDE, everything.classes)
        known = set(pixel_keys(small.pictures))
        fresh = [row for row, key in enumerate(pixel_keys(valid.pictures)) if key not in known]
        dropped = len(valid) - len(fresh)
        valid = valid.take(fresh)
    else:
        valid = small.take([row for row, out in enumerate(quoted) if out])
    learnt = [row for row in range(len(keys)) if not tune[row] and not quoted[row]]
    parts = Pictures(
        everything.take(learnt),
        small.take([row for row in range(len(keys)) if tune[row] and not quoted[row]]),
        valid,
        dropped,
    )
    absent = set(range(len(everything.classes))) - set(parts.train.labels.tolist())
    if absent or not len(parts.tune) or not len(parts.valid):
        raise DataError(
            f"{len(keys)} pictures are too few to learn from one part and to measure on another; "
            f"`--head knn` learns from a handful"
        )
    return parts


def _read(folder: Path, side: int, classes: tuple[str, ...] | None) -> ClassSet:
    """Class folders as they will be seen when the network serves: the same decoder, the whole picture squeezed."""
    if classes is None:
        classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != NONE))
    if len(classes) < 2:
        raise DataError("there are fewer than two folders; a folder holds the pictures of one label")
    pictures, labels, names = [], [], []
    for label, name in enumerate(classes):
        for path in sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
            try:
                pixels = framed(read(path).pixels, side, side, "squash")
            except InvalidImage as error:
                raise DataError(f"{name}/{path.name}: {error}") from None
            pictures.append(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
            labels.append(label)
            names.append(f"{name}/{path.name}")
    if not pictures:
        raise DataError(f"{folder.name} holds no pictures")
    return ClassSet(torch.stack(pictures), torch.tensor(labels), tuple(names), classes)


def load_backbone(model: PictureNet, path: Path) -> None:
    """Puts the backbone of a checkpoint into ``model``. Raises `DataError` where it holds none of that shape."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of pickle, of zipfile, of torch: they have no common base
        raise DataError(f"{path.name} is no checkpoint: {str(error).splitlines()[0][:120]}") from None
    state = kept
    for key in ("best_state", "average", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    own = model.backbone.state_dict()
    if not isinstance(state, Mapping):
        raise DataError(f"{path.name} holds no weights by name")
    found = {key: state[name] for key in own for name in (f"backbone.{key}", key) if name in state}
    if set(found) != set(own) or any(found[key].shape != own[key].shape for key in own):
        raise DataError(f"{path.name} has no backbone of this recipe's shape ({len(found)} of {len(own)} tensors)")
    model.backbone.load_state_dict(found)


@torch.inference_mode()
def predict(model: nn.Module, pictures: Tensor, batch: int = 64) -> Tensor:
    """Logits (count x labels) of uint8 pictures."""
    model.eval()
    chunks = pictures.split(batch)
    return torch.cat([model((c.float() / 255).contiguous(memory_format=torch.channels_last)).float() for c in chunks])


class PictureLesson:
    """Labels, as `loop.Lesson` asks."""

    def __init__(self, pictures: Pictures, plan: Plan, *, batch: int) -> None:
        self.pictures, self.plan, self.batch = pictures, plan, batch
        self.affine = augment.Affine(coverage=(0.6, 1.05), degrees=12, shift=0.03, aspect=0.2)

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.pictures.train), generator=generator)
        for rows in order.split(self.batch):
            if len(rows) < min(self.batch, len(order)):
                continue
            x = self.pictures.train.pictures[rows].float() / 255
            x = augment.warp(x, self.affine.draw(len(rows), generator), (SIDE, SIDE))
            x = augment.gamma(x, 0.3, generator)
            x = augment.brightness_contrast(x, 0.1, 0.3, generator)
            x = augment.tint(x, 0.1, generator)
            x = augment.fade_colour(x, 0.5, 1.2, generator)
            x = augment.blur(x, 1.0, 0.1, generator)
            x = augment.erase(x, (0.1, 0.35), 0.25, generator)
            yield x.contiguous(memory_format=torch.channels_last), self.pictures.train.labels[rows]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, labels = batch
        return F.cross_entropy(model(x).float(), labels, label_smoothing=0.05)

    def validate(self, model: nn.Module) -> dict[str, float]:
        logits, labels = predict(model, self.pictures.tune.pictures), self.pictures.tune.labels
        return {
            "accuracy": float((logits.argmax(1) == labels).float().mean()),
            "valid_loss": float(F.cross_entropy(logits, labels)),
        }


def make_plan(order: Order, items: int, batch: int) -> Plan:
    """40 epochs; from a given backbone gentler steps, which keep what it has learnt."""
    steps = max(1, items // batch)
    return Plan(
        epochs=order.epochs or 40,
        steps=steps,
        rate=0.03 if "backbone" in order.options else 0.1,
        average=min(0.999, 1 - 1 / max(10.0, steps * 5)),
        patience=int(order.options.get("patience", 0)),
        seed=order.seed,
    )


def train(order: Order) -> Outcome:
    """Reads, learns, exports, measures the exported file, and writes the card."""
    pictures = read_pictures(order.data)
    batch = min(64, max(4, len(pictures.train) // 8))
    plan = make_plan(order, len(pictures.train), batch)
    seed_everything(order.seed)
    model = PictureNet(len(pictures.train.classes))
    if "backbone" in order.options:
        load_backbone(model, Path(order.options["backbone"]))
    channels_last(model)
    fit(model, PictureLesson(pictures, plan, batch=batch), plan, order.out, resume=order.resume, report=order.report)
    return publish(order, model, pictures)


def judge(path: Path, pictures: Pictures, command: str) -> tuple[float, list[dict[str, Any]], np.ndarray]:
    """Temperature (fitted on ``tune``), the file's figures on ``valid``, and the label it gives each of those."""
    session = Session(path)

    def logits(part: ClassSet) -> Tensor:
        return torch.from_numpy(session.run(part.pictures.numpy().astype(np.float32) / 255)[0])

    temperature = fit_temperature(logits(pictures.tune), pictures.tune.labels)
    found, labels, n = logits(pictures.valid), pictures.valid.labels.numpy(), len(pictures.valid)
    order = found.argsort(1, descending=True).numpy()
    name = "valid without train's doubles" if pictures.dropped else "held out"
    right = order[:, 0] == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    shares = (found / temperature).softmax(1).numpy()
    figures = [
        figure(name, "top1", right.mean(), n, command),
        figure(name, "top5", (order[:, :5] == labels[:, None]).any(1).mean(), n, command),
        figure(name, "balanced_accuracy", float(np.mean(recalls)), n, command),
        figure(name, "calibration_error", calibration_error(shares, labels), n, command),
    ]
    return temperature, figures, order[:, 0]


def publish(order: Order, model: nn.Module, pictures: Pictures) -> Outcome:
    """Export, figures, plots and card of a trained ``model``."""
    classes = pictures.train.classes
    path, parity = write_file(model, pictures.tune.pictures[:3].float() / 255, order, ("logits",))
    command = order.command("classify")
    temperature, figures, guesses = judge(path, pictures, command)
    labels = pictures.valid.labels.numpy()
    if len(classes) <= 25:  # beyond, nobody can read it
        plots.confusion_matrix(confusion(guesses, labels, len(classes)), classes, order.out / "confusion.png")
    shown = range(0, len(labels), max(1, len(labels) // 48))
    tiles = [pictures.valid.pictures[row].permute(1, 2, 0).numpy() for row in shown]
    captions = [f"{classes[labels[row]][:7]} > {classes[guesses[row]][:7]}" for row in shown]
    plots.sheet(tiles, captions, order.out / "samples.png")
    from_backbone = "backbone" in order.options
    facts = {
        "name": name_of(order.out),
        "version": "1",
        "task": "classify",
        "architecture": "classifier",
        "network": "PictureNet",
        "labels": list(classes),
        "fit": "squash",
        "output": "logits",
        "temperature": round(temperature, 4),
        "spdx": "LicenseRef-own",
        "holder": "whoever trained it",
        "licence": "Trained by its user on pictures of their own, under whose terms it stands"
        + (", and under those of the backbone that it started from." if from_backbone else "."),
        "research_only": False,
        "training_data": f"{len(pictures.train)} pictures of the user's own"
        + (", from a given backbone" if from_backbone else ""),
        "paper": "Sandler et al. 2018, arXiv 1801.04381; Tan and Le 2021, arXiv 2104.00298",
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "layout": "NCHW",
            "colour": "RGB",
            "dtype": "float32",
            "mean": [0.0, 0.0, 0.0],
            "scale": [1 / 255, 1 / 255, 1 / 255],
        },
    }
    return finish(order, facts, path, parity, figures)
