"""A Keras model as a `Source`: run by Keras, converted to ONNX through PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

from sightline.engines.base import Array, Tensor
from sightline.errors import ModelError

from .keras_config import scales_pixels
from .source import Source
from .torch_graph import any_batch

_FLOAT = np.dtype(np.float32)


def as_source(model: Any, format: str, config: Any) -> Source:
    """A built Keras model whose weights are loaded. Raises `ModelError` where it cannot be converted."""
    try:
        inputs = [_tensor(tensor) for tensor in model.inputs]
    except (AttributeError, ValueError):
        raise ModelError(
            "the network does not say what it takes: build it with keras.Input and save it again"
        ) from None
    examples = [torch.rand(2, *[int(size or 1) for size in tensor.shape[1:]]) for tensor in inputs]

    def run(*arrays: Array) -> tuple[Array, ...]:
        with torch.inference_mode():
            answer = model(_one_or_list([torch.from_numpy(array) for array in arrays]), training=False)
        return tuple(keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(answer))

    graph = any_batch(_Plain(model).eval(), examples)
    return Source(format, tuple(inputs), run, graph, wants_bytes=scales_pixels(config))


class _Plain(torch.nn.Module):
    """A Keras model whose `forward` has one argument: the exporter describes free dimensions argument by argument."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: list[Any]) -> Any:
        return self.model(_one_or_list(pictures), training=False)


def _one_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _tensor(tensor: Any) -> Tensor:
    shape = tuple(tensor.shape)
    if any(size is None for size in shape[1:]):
        raise ModelError(f"the input {tensor.name} has no fixed size ({shape}); give the network one and save it again")
    return Tensor(str(tensor.name), (None, *map(int, shape[1:])), _FLOAT)
