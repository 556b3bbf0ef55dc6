"""BentoML: a service with workers in processes and a file as its input, as its documentation shows.

bentoml serve bentoml_app:Answers, with BENCH_WORKERS and BENCH_THREADS
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml
from pipeline import chosen


@bentoml.service(
    workers=int(os.environ.get("BENCH_WORKERS", "2")),
    threads=int(os.environ.get("BENCH_THREADS", "1")),
    traffic={"timeout": 120},
)
class Answers:
    def __init__(self) -> None:
        self.model = chosen()

    @bentoml.api
    def predict(self, image: Path) -> dict[str, Any]:
        return self.model(image.read_bytes())
