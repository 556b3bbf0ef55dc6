"""The training loop that every recipe shares: one lesson, one model, one folder.

An epoch's random numbers depend on the seed and the epoch's number only, and a checkpoint is
written after every epoch, so a run that is killed and resumed does what the unbroken run does.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Lesson", "Plan", "Report", "fit", "seed_everything"]

Report = Callable[[dict[str, Any]], None]
"""Called with each event: ``{"event": "step" | "epoch" | ..., "epoch": n, ...}``."""


class Lesson(Protocol):
    """What a recipe teaches: batches, their loss, and how well the model does."""

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[Any]:
        """One epoch's batches, augmented."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """A scalar to bring down."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the items held out of training; the plan names the one that counts."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    ``keep="best"`` keeps the epoch with the highest ``watch``; that needs items held out besides
    those the figures are quoted on. Without such, ``keep="last"`` lets no figure choose.
    ``average`` is the decay of the running average; ``patience`` in epochs, 0 for never stop.
    ``every``: validate after each such number of epochs and after the last.
    """

    epochs: int
    steps: int
    rate: float
    optimiser: str = "sgd"
    weight_decay: float = 5e-4
    warmup: float = 0.1
    average: float = 0.999
    patience: int = 0
    every: int = 1
    watch: str = "accuracy"
    keep: str = "best"
    seed: int = 0
    bfloat16: bool = True
    clip: float = 5.0

    def rate_at(self, step: int) -> float:
        """Learning rate of ``step``: a linear rise, then half a cosine down to nothing."""
        total = max(1, self.epochs * self.steps)
        rise = max(1, round(total * self.warmup))
        if step < rise:
            return self.rate * (step + 1) / rise
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


class Average:
    """A running average of a model's weights: smoother, and a little better, than the last ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Takes in ``model`` after ``step``; early steps weigh more, or the start would linger."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _optimiser(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    # Scales, offsets and biases are few and need no decay; it would only pull the norms down.
    decays = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decays, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if plan.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=plan.rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.99))


def _save(path: Path, state: dict[str, Any]) -> None:
    # Written aside and renamed: a kill in the middle leaves the old checkpoint whole.
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


@contextlib.contextmanager
def _weights(model: nn.Module, state: dict[str, Tensor]) -> Iterator[None]:
    """``model`` with other weights for a while, in evaluation mode."""
    own = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(own)
        model.train()


def fit(
    model: nn.Module,
    lesson: Lesson,
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    report: Report | None = None,
    compiled: bool = False,
) -> dict[str, Any]:
    """Trains ``model`` and leaves its best averaged weights in it.

    Writes ``log.jsonl`` (one line an epoch) and ``checkpoint.pt`` into ``out``. With ``resume``
    it goes on after the last finished epoch. ``compiled`` fuses the network's small operations
    (it needs a C++ compiler; the weights are the same). Returns the figures of the kept epoch.
    """
    out.mkdir(parents=True, exist_ok=True)
    tell = report or (lambda event: None)
    checkpoint, log = out / "checkpoint.pt", out / "log.jsonl"
    optimiser = _optimiser(model, plan)
    average = Average(model, plan.average)
    start, step, seconds = 0, 0, 0.0
    best: dict[str, Any] = {plan.watch: -math.inf, "epoch": -1}
    best_state = average.state
    if resume and checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        average.state = kept["average"]
        best, best_state = kept["best"], kept["best_state"]
        start, step, seconds = kept["epoch"] + 1, kept["step"], kept["seconds"]
    else:
        log.write_text("")
    # One program a size: the kernels for sizes left open are slower, and a run has few sizes.
    runner = torch.compile(model, dynamic=False) if compiled else model
    tell({"event": "start", "epoch": start, "plan": asdict(plan)})
    for epoch in range(start, plan.epochs):
        if plan.patience and epoch - best["epoch"] > plan.patience and best["epoch"] >= 0:
            tell({"event": "stopped early", "epoch": epoch})
            break
        began = time.perf_counter()
        seed_everything(plan.seed * 100_003 + epoch)
        generator = torch.Generator().manual_seed(plan.seed * 100_003 + epoch)
        model.train()
        total, count = 0.0, 0
        for batch in lesson.batches(epoch, generator):
            rate = plan.rate_at(step)
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
                loss = lesson.loss(runner, batch)  # type: ignore[arg-type]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimiser.step()
            step += 1
            average.update(model, step)
            total, count = total + loss.item(), count + 1
            tell({"event": "step", "epoch": epoch, "step": count, "steps": plan.steps, "loss": total / count})
        figures: dict[str, float] = {}
        if (epoch + 1) % plan.every == 0 or epoch + 1 == plan.epochs:
            with _weights(model, average.state), torch.inference_mode():
                figures = lesson.validate(model)
        seconds += time.perf_counter() - began
        line: dict[str, Any] = {"epoch": epoch, "loss": total / max(1, count), "rate": plan.rate_at(step - 1)}
        line |= figures | {"seconds": round(seconds, 1)}
        if not math.isfinite(line["loss"]):
            raise ArithmeticError(f"the loss is {line['loss']} after epoch {epoch}: lower the learning rate")
        if plan.keep == "last" or figures.get(plan.watch, -math.inf) > best[plan.watch]:
            best = dict(line)
            best_state = {k: v.clone() for k, v in average.state.items()}
        with log.open("a") as lines:
            lines.write(json.dumps(line) + "\n")
        state: dict[str, Any] = {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "average": average.state,
        }
        state |= {"best": best, "best_state": best_state, "epoch": epoch, "step": step, "seconds": seconds}
        _save(checkpoint, state)
        tell({"event": "epoch", **line})
    model.load_state_dict(best_state)
    model.eval()
    return best
