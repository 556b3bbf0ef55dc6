"""Recipe `portraits`: DeepLabV3+ that tells people from background.

Data: ``images/NAME.*`` + ``masks/NAME.png`` (white = person), as EG1800 (Shen et al. 2016), or
``images/`` and a COCO ``instances.json``, whose category "person" counts. A tenth, by a hash of the
name, is held out. Pictures are letterboxed on black: their shape is kept, and the border is
background like any other.

With a ``teacher`` (the card of a larger network) the pictures of the folder ``unlabelled`` teach as
well, under the teacher's masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from sightline.images.geometry import Letterbox, letterbox

from .. import augment, plots
from ..datasets import DataError, Masked, MaskSet, held_out, list_masked, read_picture
from ..export import Session
from ..finish import finish, write_file
from ..loop import Plan, fit, seed_everything
from ..losses import mask_loss
from ..masks import MaskReport
from ..nets.blocks import channels_last
from ..nets.deeplabv3plus import DeepLabV3Plus
from ..order import Order, Outcome
from ..teachers.masks import list_taught

__all__ = ["People", "PortraitsLesson", "build", "predict", "read_people", "train"]

SIDE = 256
STORED = 320
"""Training pictures are kept larger than the network sees them, so that zooming in shows detail."""


@dataclass(frozen=True)
class People:
    """``train`` at 320x320 to learn from; ``valid``, a tenth, at 256x256 to quote; ``taught``, at 160x160, has a
    teacher's masks."""

    train: MaskSet
    valid: MaskSet
    taught: MaskSet | None = None


def _read(items: list[Masked], side: int) -> MaskSet:
    pictures, masks, sizes = [], [], []
    for item in items:
        picture, mask = read_picture(item.picture, grey=False), item.mask()
        pictures.append(torch.from_numpy(letterbox(picture, side, side)[0].transpose(2, 0, 1).copy()))
        masks.append(torch.from_numpy(letterbox(mask, side, side)[0][None]))
        sizes.append((mask.shape[0], mask.shape[1]))
    return MaskSet(torch.stack(pictures), torch.stack(masks), tuple(item.name for item in items), tuple(sizes))


def list_people(data: Path) -> tuple[list[Masked], list[Masked]]:
    """To learn from, and the tenth held out. Raises `DataError` where there is nothing to read."""
    items = list_masked(data, "person")
    if len(items) < 2:
        raise DataError(f"{data / 'images'} holds fewer than two pictures")
    apart = held_out([item.name for item in items], 10)
    if not bool(apart.any()) or bool(apart.all()):
        apart = torch.arange(len(items)) % 10 == 0
    train = [item for item, out in zip(items, apart.tolist(), strict=True) if not out]
    valid = [item for item, out in zip(items, apart.tolist(), strict=True) if out]
    return train, valid


def read_people(data: Path, taught: list[Masked] | None = None) -> People:
    """Reads ``data`` and holds out a tenth. Raises `DataError` where there is nothing to read."""
    train, valid = list_people(data)
    return People(_read(train, STORED), _read(valid, SIDE), _read(taught, STORED // 2) if taught else None)


@torch.inference_mode()
def predict(model: nn.Module, pictures: Tensor, batch: int = 16) -> Tensor:
    """Probabilities (count x 1 x height x width) of uint8 RGB pictures."""
    model.eval()
    with torch.autocast("cpu", torch.bfloat16):
        parts = [
            torch.sigmoid(model((c.float() / 255).contiguous(memory_format=torch.channels_last)).float())
            for c in pictures.split(batch)
        ]
    return torch.cat(parts)


class PortraitsLesson:
    """People and their masks, as `loop.Lesson` asks."""

    def __init__(self, people: People, plan: Plan, *, batch: int = 16, taught: int = 0) -> None:
        self.people, self.plan, self.batch, self.taught = people, plan, batch, taught
        self.affine = augment.Affine(coverage=(0.6, 1.35), degrees=15, shift=0.08, aspect=0.15)

    def size(self, epoch: int) -> int:
        """Side of the training pictures: half of it costs a quarter, and teaches as much early on."""
        progress = epoch / max(1, self.plan.epochs)
        return SIDE // 2 if progress < 0.5 else SIDE * 3 // 4 if progress < 0.8 else SIDE

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        size = self.size(epoch)
        order = torch.randperm(len(self.people.train), generator=generator)
        for rows in order.split(self.batch):
            if len(rows) < min(self.batch, len(order)):
                continue
            x, target = self.view(self.people.train, rows, size, generator)
            if self.people.taught is not None:
                more = torch.randint(len(self.people.taught), (self.taught,), generator=generator)
                others, masks = self.view(self.people.taught, more, size, generator)
                x, target = torch.cat([x, others]), torch.cat([target, masks])
            x, target = self.join(x, target, generator)
            x = augment.gamma(x, 0.3, generator)
            x = augment.tint(x, 0.2, generator)
            x = augment.fade_colour(x, 0.2, 1.4, generator)
            x = augment.brightness_contrast(x, 0.12, 0.35, generator)
            x = augment.blur(x, 1.2, 0.15, generator)
            x = augment.noise(x, 0.04, 0.25, generator)
            yield x.contiguous(memory_format=torch.channels_last), target

    def view(self, pictures: MaskSet, rows: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures and masks of ``rows``, turned, zoomed and shifted alike."""
        matrices = self.affine.draw(len(rows), generator)
        x, target = pictures.pictures[rows].float() / 255, pictures.masks[rows].float() / 255
        return (
            augment.warp(x, matrices, (size, size), padding="zeros"),
            augment.warp(target, matrices, (size, size), padding="zeros"),
        )

    def join(self, x: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cuts some people out and puts them before another picture, whose person stays there."""
        other = torch.randperm(len(x), generator=generator)
        flags = augment.chance(len(x), 0.3, generator).view(-1, 1, 1, 1)
        pasted = target * x + (1 - target) * x[other]
        union = torch.maximum(target, target[other])
        return torch.where(flags, pasted, x), torch.where(flags, union, target)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, target = batch
        return mask_loss(model(x), target, edge=1.0)

    def validate(self, model: nn.Module) -> dict[str, float]:
        found = (predict(model, self.people.valid.pictures) >= 0.5).flatten(1)
        true = (self.people.valid.masks >= 128).flatten(1)
        hit, union = (found & true).sum(1).float(), (found | true).sum(1).float()
        return {"iou": float((hit / union.clamp(min=1)).mean()), "dice": float((2 * hit / (hit + union)).mean())}


class PortraitsServed(nn.Module):
    """What the file holds: the network with a sigmoid behind it. Output: batch x 1 x 256 x 256, 0..1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.net(x))


def build() -> DeepLabV3Plus:
    """The shipped network, channels last."""
    net = DeepLabV3Plus()
    channels_last(net)
    return net


def make_plan(order: Order, items: int, batch: int) -> Plan:
    """100 epochs. No figure chooses the epoch: the held-out tenth is for quoting alone."""
    steps = max(1, items // batch)
    return Plan(
        epochs=order.epochs or 100,
        steps=steps,
        rate=3e-3,
        optimiser="adamw",
        weight_decay=2e-2,
        average=min(0.997, 1 - 1 / max(5.0, steps * 4.5)),
        watch="iou",
        keep="last",
        every=4,
        seed=order.seed,
    )


def train(order: Order) -> Outcome:
    """Reads, learns, exports, measures the exported file, and writes the card."""
    teacher, taught = order.options.get("teacher"), None
    if teacher is not None:
        if "unlabelled" not in order.options:
            raise DataError("a teacher of masks needs pictures: name their folder with --unlabelled")
        taught = list_taught(Path(order.options["unlabelled"]), str(teacher))
    people = read_people(order.data, taught)
    batch = min(16 if taught is None else 10, max(2, len(people.train) // 4))
    plan = make_plan(order, len(people.train), batch)
    seed_everything(order.seed)
    model = build()
    lesson = PortraitsLesson(people, plan, batch=batch, taught=6)
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report)
    return publish(order, model, people)


def publish(order: Order, model: nn.Module, people: People) -> Outcome:
    """Export, figures at the size of the originals, plots and card of a trained ``model``."""
    command = order.command("portraits")
    example = people.valid.pictures[:3].float() / 255
    path, parity = write_file(PortraitsServed(model).eval(), example, order, ("mask",))
    session, report = Session(path), MaskReport(boundary=True)
    found = session.run(people.valid.pictures.numpy().astype(np.float32) / 255, batch=8)[0]
    planes, truths = [], []
    items = list_people(order.data)[1]
    for item, size, mask in zip(items, people.valid.sizes, found, strict=True):
        truths.append(item.mask() > 0)
        inner = Letterbox.of(size, SIDE, SIDE).cut(mask[0])
        planes.append(cv2.resize(inner, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))
        report.add(planes[-1], truths[-1])
    picks = [*report.worst("jaccard", 12), *range(0, len(truths), max(1, len(truths) // 12))][:24]
    plots.mask_samples(
        [read_picture(items[n].picture, grey=False) for n in picks],
        [planes[n] >= 0.5 for n in picks],
        [truths[n] for n in picks],
        [f"{people.valid.names[n]} {report.rows[n][1]['jaccard']:.3f}" for n in picks],
        order.out / "samples.png",
    )
    taught = ""
    if people.taught is not None:
        taught = f", and {len(people.taught)} pictures masked by {order.options['teacher']}"
    facts = {
        "name": "portraits-deeplab",
        "version": "1",
        "task": "background",
        "architecture": "deeplab",
        "labels": ["background", "person"],
        "licence": "Apache-2.0 (weights); trained on data for academic use only",
        "research_only": True,
        "training_data": f"EG1800, {len(people.train)} portraits (Flickr photos, academic use){taught}",
        "paper": "Chen et al. 2018, arXiv 1802.02611; Sandler et al. 2018, arXiv 1801.04381",
        "thresholds": {"mask": 0.5},
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "fit": "letterbox, centred, black",
            "layout": "NCHW",
            "colour": "RGB",
            "dtype": "float32",
            "mean": [0.0, 0.0, 0.0],
            "scale": [1 / 255, 1 / 255, 1 / 255],
        },
        "output": {"mask": "batch x 1 x 256 x 256 probabilities of person, letterboxed like the input"},
    }
    return finish(order, facts, path, parity, report.figures("held-out tenth", command))
