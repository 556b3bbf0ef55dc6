"""Who is measured: how each server is started, and the documented settings it may choose from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from serving.environments import HERE, SOURCE
from serving.processes import Server, free_port

APPS = HERE / "apps"
KINDS = {"emotion": "emotion", "classifier": "classify"}
"""What is asked, and the task of Sightline's that answers it."""
WORKERS = os.cpu_count() or 1
CLASSIFIER = "emotion-crops"


@dataclass(frozen=True, eq=False)
class Setting:
    """One way to run a server. `variables` go into its environment; {port} in the command is the port."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Peer:
    """A server to measure: `environment` names its requirements file (empty: this Python)."""

    name: str
    environment: str
    path: str
    settings: tuple[Setting, ...]

    def start(self, setting: Setting, python: Path, kind: str, models: Path, log: Path | None = None) -> Server:
        """A running server, not yet ready."""
        port = free_port()
        command = [str(python), *(part.format(port=port) for part in setting.command)]
        variables = {
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{APPS}",
            "PYTHONUNBUFFERED": "1",
            "BENCH_KIND": kind,
            "SIGHTLINE_MODELS": str(models),
            "SIGHTLINE_OFFLINE": "1",
            **setting.variables,
        }
        return Server(command, port, variables, log)


def peers(kind: str) -> tuple[Peer, ...]:
    """Everyone who answers `kind`, Sightline first."""
    task = KINDS[kind]
    served = task if kind == "emotion" else f"{task}={CLASSIFIER}"
    own = Setting("as shipped", ("-m", "sightline.cli", "serve", served, "--port", "{port}"))
    return (
        Peer("Sightline", "", f"/v1/{task}", (own,)),
        Peer("FastAPI, async def", "fastapi", "/predict", tuple(_fastapi("fastapi_async"))),
        Peer("FastAPI, threads", "fastapi", "/predict", tuple(_fastapi("fastapi_threads"))),
        Peer("LitServe", "litserve", "/predict", tuple(_litserve(kind))),
        Peer("BentoML", "bentoml", "/predict", tuple(_bentoml())),
    )


def _fastapi(module: str) -> Iterable[Setting]:
    # https://fastapi.tiangolo.com/deployment/server-workers/
    command = ("-m", "uvicorn", f"{module}:app", "--port", "{port}", "--no-access-log", "--log-level", "warning")
    yield Setting("1 process", command)
    yield Setting(f"{WORKERS} processes", (*command, "--workers", str(WORKERS)))


def _litserve(kind: str) -> Iterable[Setting]:
    # Its docstring: for a CPU, as many workers as cores; ZeroMQ queues for hundreds of requests a second.
    command = (str(APPS / "litserve_app.py"), "{port}")
    base = {"BENCH_WORKERS": str(WORKERS)}
    yield Setting(f"{WORKERS} workers", command, base)
    yield Setting(f"{WORKERS} workers, 1 API server", command, {**base, "BENCH_API_SERVERS": "1"})
    yield Setting(f"{WORKERS} workers, fast_queue", command, {**base, "BENCH_FAST_QUEUE": "1"})
    if kind == "classifier":
        yield Setting(f"{WORKERS} workers, batches of 8", command, {**base, "BENCH_BATCH": "8"})


def _bentoml() -> Iterable[Setting]:
    command = ("-m", "bentoml", "serve", "bentoml_app:Answers", "--port", "{port}", "--host", "127.0.0.1")
    command = (*command, "--working-dir", str(APPS))
    quiet = {"BENTOML_DO_NOT_TRACK": "True"}
    yield Setting(f"{WORKERS} workers", command, {**quiet, "BENCH_WORKERS": str(WORKERS)})
    threads = {"BENCH_WORKERS": "1", "BENCH_THREADS": str(WORKERS)}
    yield Setting(f"1 worker, {WORKERS} threads", command, {**quiet, **threads})
    both = {"BENCH_WORKERS": str(WORKERS), "BENCH_THREADS": str(WORKERS)}
    yield Setting(f"{WORKERS} workers, {WORKERS} threads each", command, {**quiet, **both})


def write_classifier(folder: Path) -> None:
    """Put the network of `emotion-small`, as a model of `classify` that takes a ready crop, into a folder of models."""
    import tomllib

    shipped = Path(str(resources.files("sightline"))) / "zoo" / "emotion-small"
    card: dict[str, Any] = tomllib.loads((shipped / "card.toml").read_text())
    place = folder / CLASSIFIER
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(shipped / "model.onnx", place)
    (file,) = card["files"]
    lines = [
        f'name = "{CLASSIFIER}"\nversion = "1"\ntasks = ["classify"]\narchitecture = "classifier"\nengine = "onnx"',
        'summary = "The network of emotion-small on a ready crop, for benchmarks."',
        f'training_data = "{card["training_data"]}"\nlabels = {card["labels"]}',
        f'[licence]\nspdx = "{card["licence"]["spdx"]}"\nholder = "{card["licence"]["holder"]}"',
        '[input]\nwidth = 48\nheight = 48\nlayout = "NCHW"\ncolour = "L"',
        f"mean = {card['input']['mean']}\nscale = {card['input']['scale']}",
        f'[options]\nfit = "squash"\noutput = "logits"\ntemperature = {card["options"]["temperature"]}',
        f'[[files]]\npath = "model.onnx"\nsha256 = "{file["sha256"]}"\nsize = {file["size"]}',
    ]
    (place / "card.toml").write_text("\n".join(lines) + "\n")


def comparable(answer: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """What two servers' answers have to agree in: the words, each with its numbers."""
    if "labels" in answer:
        return [(label["name"], [label["confidence"]]) for label in answer["labels"]]
    return [
        (face["emotion"], [*face["box"].values(), face["confidence"], *face["scores"].values()])
        for face in answer["faces"]
    ]


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """What two answers to the same picture disagree in, a line each: words, counts, and numbers by more than 0.01."""
    ours, theirs = comparable(a), comparable(b)
    if [word for word, _ in ours] != [word for word, _ in theirs]:
        return [f"{[word for word, _ in ours]} against {[word for word, _ in theirs]}"]
    pairs = (
        (x, y) for (_, left), (_, right) in zip(ours, theirs, strict=True) for x, y in zip(left, right, strict=True)
    )
    return [f"{x} against {y}" for x, y in pairs if abs(x - y) > 0.01]
