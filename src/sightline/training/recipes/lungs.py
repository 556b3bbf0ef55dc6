"""Recipe `lungs`: BCDU-Net (or the plain U-Net beside it) on chest X-rays.

Data: ``images/NAME.*`` + ``masks/NAME.png``, one file a patient; the Montgomery (``MCUCXR``) and
Shenzhen (``CHNCXR``) sets of the US National Library of Medicine (Jaeger et al. 2014).

A fifth of the patients, by a hash of the name within each source, is held out. The network will
meet X-rays of other hospitals: other exposure, other crops, negatives, markers, black borders.
The augmentation draws all of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import augment, plots
from ..card import figure
from ..datasets import MaskSet, held_out, list_masked, read_masked, resize
from ..export import Session
from ..film_check import drawn, fit_judge, read_greys
from ..finish import finish, write_file
from ..loop import Plan, fit, seed_everything
from ..losses import mask_loss
from ..masks import MaskReport, enlarge
from ..metrics import soft_dice
from ..nets.bcdunet import BCDUNet
from ..nets.blocks import channels_last
from ..nets.film_check import LungsServed
from ..nets.unet import UNet
from ..order import Order, Outcome

__all__ = ["Films", "LungsLesson", "build", "predict", "read_films", "source_of", "train"]

SIDE = 256
SOURCES = {"MCUCXR": "Montgomery", "CHNCXR": "Shenzhen"}


@dataclass(frozen=True)
class Films:
    """``train`` to learn from; ``valid``, a fifth of the patients, to quote."""

    train: MaskSet
    valid: MaskSet


def source_of(name: str) -> str:
    """The hospital a file came from, by its name's first part; "other" for a user's own."""
    return SOURCES.get(name.split("_")[0], "other")


def read_films(data: Path, parts: int = 5) -> Films:
    """Reads ``data`` at 256x256 grey and holds out one of ``parts`` of each source's patients.

    Within a source, patients are ordered by the hash of their name and the first fifth is held
    out: the share is the same in every source, however few its patients are.
    """
    everything = read_masked(list_masked(data), (SIDE, SIDE), grey=True)
    apart = held_out_by_source(everything.names, parts)
    return Films(everything.take((~apart).nonzero()[:, 0]), everything.take(apart.nonzero()[:, 0]))


def held_out_by_source(names: tuple[str, ...], parts: int) -> Tensor:
    """Booleans: which names fall into the held-out part of their own source."""
    flags = torch.zeros(len(names), dtype=torch.bool)
    for source in sorted({source_of(name) for name in names}):
        rows = [n for n, name in enumerate(names) if source_of(name) == source]
        chosen = held_out([names[n] for n in rows], parts)
        if not bool(chosen.any()) or bool(chosen.all()):  # a handful of films: take every fifth
            chosen = torch.arange(len(rows)) % parts == 0
        flags[torch.tensor(rows)[chosen]] = True
    return flags


@torch.inference_mode()
def predict(model: nn.Module, pictures: Tensor, batch: int = 16) -> Tensor:
    """Probabilities (count x 1 x 256 x 256) of uint8 films."""
    model.eval()
    with torch.autocast("cpu", torch.bfloat16):
        parts = [torch.sigmoid(model(chunk.float() / 255).float()) for chunk in pictures.split(batch)]
    return torch.cat(parts)


class LungsLesson:
    """Films and their lungs, as `loop.Lesson` asks."""

    def __init__(self, films: Films, plan: Plan, *, batch: int = 8) -> None:
        self.films, self.plan, self.batch = films, plan, batch
        self.affine = augment.Affine(coverage=(0.72, 1.25), degrees=15, shift=0.06, aspect=0.12)

    def size(self, epoch: int) -> int:
        """Side of the training films: half of it costs a quarter, and teaches as much early on."""
        progress = epoch / max(1, self.plan.epochs)
        return SIDE // 2 if progress < 0.6 else SIDE * 3 // 4 if progress < 0.78 else SIDE

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        size = self.size(epoch)
        order = torch.randperm(len(self.films.train), generator=generator)
        for rows in order.split(self.batch):
            if len(rows) < min(self.batch, len(order)):
                continue
            x = self.films.train.pictures[rows].float() / 255
            target = self.films.train.masks[rows].float() / 255
            matrices = self.affine.draw(len(rows), generator)
            padding = "zeros" if bool(augment.chance(1, 0.5, generator)) else "border"
            x = augment.warp(x, matrices, (size, size), padding=padding)
            target = augment.warp(target, matrices, (size, size), padding="zeros")
            yield self.disturb(x, generator), target

    def disturb(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """What other hospitals' machines do to a film."""
        x = augment.gamma(x, 0.6, generator)
        x = augment.shade(x, 0.15, generator)
        x = augment.brightness_contrast(x, 0.15, 0.5, generator)
        x = augment.blur(x, 1.5, 0.25, generator)
        x = augment.noise(x, 0.06, 0.4, generator)
        x = augment.frame(x, 0.1, 0.25, generator)
        for _ in range(2):  # letters and clips, then a lead marker or a pacemaker
            x = augment.erase(x, (0.02, 0.15), 0.3, generator, value=1.0)
        x = augment.erase(x, (0.05, 0.25), 0.15, generator)
        return augment.invert(x, 0.15, generator).contiguous(memory_format=torch.channels_last)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, target = batch
        return mask_loss(model(x), target, edge=1.0)

    def validate(self, model: nn.Module) -> dict[str, float]:
        probabilities = predict(model, self.films.valid.pictures)
        scores = soft_dice(probabilities >= 0.5, self.films.valid.masks >= 128)
        figures = {"dice": float(scores.mean())}
        for source in sorted(set(map(source_of, self.films.valid.names))):
            rows = [n for n, name in enumerate(self.films.valid.names) if source_of(name) == source]
            figures[f"dice_{source.lower()}"] = float(scores[rows].mean())
        return figures


def build(architecture: str = "bcdunet", width: int = 16) -> nn.Module:
    """ "bcdunet" or "unet"."""
    net = BCDUNet(width) if architecture == "bcdunet" else UNet(width)
    return channels_last(net)


def make_plan(order: Order, items: int, batch: int) -> Plan:
    """66 epochs. No figure chooses the epoch: the held-out patients are for quoting alone."""
    steps = max(1, items // batch)
    return Plan(
        epochs=order.epochs or 66,
        steps=steps,
        rate=4e-3,
        optimiser="adamw",
        weight_decay=1e-2,
        average=min(0.995, 1 - 1 / max(5.0, steps * 3.6)),
        watch="dice",
        keep="last",
        every=4,
        seed=order.seed,
    )


def best_threshold(model: nn.Module, films: MaskSet) -> float:
    """Where the probability counts as lung: the step of 0.05 with the highest Dice on films that were learnt from,
    each source weighing the same."""
    probabilities, true = predict(model, films.pictures), films.masks >= 128
    sources = [source_of(name) for name in films.names]
    rows = [torch.tensor([other == source for other in sources]) for source in sorted(set(sources))]

    def dice(threshold: float) -> float:
        scores = soft_dice(probabilities >= threshold, true)
        return sum(float(scores[own].mean()) for own in rows) / len(rows)

    return max((round(0.3 + 0.05 * step, 2) for step in range(7)), key=dice)


def train(order: Order) -> Outcome:
    """Reads, learns, fits the judge, exports, measures the exported file, and writes the card."""
    films = read_films(order.data)
    batch = min(8, max(2, len(films.train) // 4))
    plan = make_plan(order, len(films.train), batch)
    seed_everything(order.seed)
    architecture = str(order.options.get("architecture", "bcdunet"))
    model = build(architecture)
    lesson = LungsLesson(films, plan, batch=batch)
    compiled = bool(order.options.get("compiled", architecture == "bcdunet" and len(films.train) > 100))
    fit(model, lesson, plan, order.out, resume=order.resume, report=order.report, compiled=compiled)
    return publish(order, model, films, lesson, architecture)


def publish(order: Order, model: nn.Module, films: Films, lesson: LungsLesson, architecture: str) -> Outcome:
    """Judge, export, figures, plots and card of a trained ``model``."""
    command = order.command("lungs")
    outputs: tuple[str, ...] = ("mask",)
    threshold = best_threshold(model, films.train)
    served, apart = LungsServed(model), None
    if "negatives" in order.options:
        greys, names = read_greys([Path(folder) for folder in order.options["negatives"]], SIDE)
        out = held_out(names, 5)
        apart = greys[out]
        others = torch.cat([greys[~out], drawn(max(10, len(greys) // 10), SIDE)])
        weights, bias = fit_judge(model, films.train.pictures, others, lesson.disturb, order.seed)
        served, outputs = LungsServed(model, weights, bias), ("mask", "chest_xray")
    path, parity = write_file(served.eval(), films.valid.pictures[:3].float() / 255, order, outputs)
    session = Session(path)
    found = session.run(films.valid.pictures.numpy().astype(np.float32) / 255, batch=8)
    report, planes, truths = MaskReport(surfaces=True, threshold=threshold), [], []
    masks = {item.name: item.mask for item in list_masked(order.data)}
    for name, mask in zip(films.valid.names, found[0], strict=True):
        true = masks[name]() > 0
        planes.append(enlarge(mask[0], true.shape))
        truths.append(true)
        report.add(planes[-1], true, source_of(name))
    figures = report.figures("held-out fifth of the patients", command)
    if apart is not None:
        strangers = session.run(apart.numpy().astype(np.float32) / 255, batch=8)[1]
        known = len(found[1])
        figures += [
            figure("held-out fifth of the patients", "taken_for_xray", (found[1] >= 0.5).mean(), known, command),
            figure(
                "held-out fifth of the negatives", "taken_for_xray", (strangers >= 0.5).mean(), len(strangers), command
            ),
        ]
    picks = [*report.worst("dice", 12), *range(0, len(truths), max(1, len(truths) // 12))][:24]
    plots.mask_samples(
        [resize(films.valid.pictures[n, 0].numpy(), truths[n].shape) for n in picks],
        [planes[n] >= threshold for n in picks],
        [truths[n] for n in picks],
        [f"{films.valid.names[n]} {report.rows[n][1]['dice']:.3f}" for n in picks],
        order.out / "samples.png",
    )
    return finish(order, facts(architecture, films, outputs, threshold), path, parity, figures)


def facts(architecture: str, films: Films, outputs: tuple[str, ...], threshold: float) -> dict[str, Any]:
    """What the card says besides figures."""
    said = {"mask": "batch x 1 x 256 x 256 probabilities of lung; enlarge, then at or above 0.5 is lung"}
    if "chest_xray" in outputs:
        said["chest_xray"] = "batch; probability that the picture is a chest X-ray"
    return {
        "name": f"lungs-{architecture}",
        "version": "1",
        "task": "lungs",
        "architecture": "bcdunet",
        "network": architecture,
        "labels": ["background", "lung"],
        "licence": "Apache-2.0 (weights); the training films are public with citation; no medical device",
        "research_only": True,
        "training_data": f"Montgomery and Shenzhen sets (US National Library of Medicine), {len(films.train)} films",
        "paper": "Azad et al. 2019, arXiv 1909.00166" if architecture == "bcdunet" else "Ronneberger et al. 2015",
        "output": "probabilities",
        "thresholds": {"score": threshold, "chest_xray": 0.5},
        "input": {
            "name": "input",
            "size": [SIDE, SIDE],
            "fit": "stretch",
            "layout": "NCHW",
            "colour": "grey",
            "dtype": "float32",
            "mean": [0.0],
            "scale": [1 / 255],
        },
        "outputs": said,
    }
