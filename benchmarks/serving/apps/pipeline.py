"""What every peer runs behind its wire: Sightline's own library on the same weights, one thread an inference, so that
only the serving differs. BENCH_KIND says what is asked: `emotion` (a photo) or `classifier` (a crop of a face)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sightline

Answer = dict[str, Any]
CLASSIFIER = "emotion-crops"
"""The card of the bare classifier; `serving.peers` writes it into the folder of SIGHTLINE_MODELS."""


def chosen() -> Callable[[bytes], Answer]:
    """The pipeline that the benchmark asked for, loaded and warm: encoded bytes to the answer's JSON members."""
    task = _task()
    return lambda data: task(data).to_dict()


def batched() -> Callable[[list[bytes]], list[Answer]]:
    """The bare classifier with one run of the network for several crops."""
    import numpy as np

    from sightline.images.decode import decode

    task = _task()
    network, labels = task.labeller, task.card.labels
    temperature = float(task.card.options["temperature"])

    def predict(pictures: list[bytes]) -> list[Answer]:
        decoded = np.stack([decode(data).pixels for data in pictures])
        (logits,) = network.engine.run(network.prepare(decoded))
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        return [_labelled(labels, row) for row in powers / powers.sum(axis=1, keepdims=True)]

    return predict


def _task() -> Any:
    settings = replace(sightline.Settings.from_env(), threads=1)
    if os.environ["BENCH_KIND"] == "emotion":
        task = sightline.load("emotion", settings=settings)
    else:
        task = sightline.load("classify", model=CLASSIFIER, settings=settings)
    task.warm()
    return task


def _labelled(labels: tuple[str, ...], row: Any) -> Answer:
    pairs = sorted(zip(labels, map(float, row), strict=True), key=lambda pair: -pair[1])[:5]
    return {"labels": [{"name": name, "confidence": round(value, 4)} for name, value in pairs]}
