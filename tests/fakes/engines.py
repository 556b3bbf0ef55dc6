"""An engine without weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sightline.engines.base import Array, Tensor, check_inputs


class FakeEngine:
    """Answers what `compute` makes of its inputs, checks them as the real engines do, and remembers them."""

    def __init__(
        self,
        compute: Callable[..., Array | tuple[Array, ...]],
        shape: tuple[int | None, ...] = (None, None, None, None),
        outputs: tuple[Tensor, ...] = (),
    ) -> None:
        self.inputs = (Tensor("input", shape, np.dtype(np.float32)),)
        self.outputs = outputs
        self.compute = compute
        self.seen: list[tuple[Array, ...]] = []

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        check_inputs(self.inputs, arrays)
        self.seen.append(arrays)
        answer = self.compute(*arrays)
        return answer if isinstance(answer, tuple) else (answer,)
