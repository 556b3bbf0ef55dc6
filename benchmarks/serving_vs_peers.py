"""Serving compared: the same pipeline and weights under Sightline, FastAPI, LitServe and BentoML, and with no server.

    python benchmarks/serving_vs_peers.py [--quick] [--out build/benchmarks] [--only Sightline ...]

Two questions: `emotion` (a photo of 1280 pixels in, JSON out) and `classifier` (the bare network on a ready crop).
Every server runs in turn, with one thread an inference, on this machine, asked by a process of its own; rounds are
repeated and the median round is told. Peers are installed into environments outside of the repository, each with the
best of the settings that its documentation names, found first. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving import environments, pictures, report
from serving.load import Job, Result, run_apart
from serving.peers import APPS, KINDS, SOURCE, WORKERS, Peer, Setting, differences, peers, write_classifier
from serving.processes import Server, Watch, ask, cpu_seconds, free_port

CLIENTS = (1, 8, 64)


class Comparison:
    """One run of the whole benchmark for one question."""

    def __init__(self, kind: str, arguments: argparse.Namespace, folder: Path) -> None:
        self.kind, self.seconds, self.warmup = kind, arguments.seconds, arguments.warmup
        self.folder, self.models = folder, folder / "models"
        self.pictures = pictures.photos() if kind == "emotion" else pictures.crops()
        (folder / kind).mkdir()
        for index, data in enumerate(self.pictures):
            (folder / kind / f"{index}.bin").write_bytes(data)
        self.absent: dict[str, str] = {}
        self.pythons = dict(self._pythons(arguments))
        self.tried: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []

    def _pythons(self, arguments: argparse.Namespace) -> Iterator[tuple[Peer, Path]]:
        wanted = environments.versions(Path(sys.executable))
        for peer in peers(self.kind):
            if arguments.only and peer.name not in arguments.only and peer.name != "Sightline":
                continue
            try:
                found = environments.python(peer.environment, arguments.environments) if peer.environment else None
            except environments.NoEnvironment as error:
                self.absent[peer.name] = f"cannot be installed: {error}"
                continue
            python = found or Path(sys.executable)
            other = environments.versions(python)
            if other != wanted:
                raise SystemExit(f"{peer.name} would run on {other}, Sightline runs on {wanted}")
            yield peer, python

    def requests(self, peer: Peer) -> list[bytes]:
        return [pictures.multipart(peer.path, {"image": data}) for data in self.pictures]

    @contextlib.contextmanager
    def running(self, peer: Peer, setting: Setting) -> Iterator[Server]:
        with peer.start(setting, self.pythons[peer], self.kind, self.models) as server:
            server.wait(self.requests(peer)[0])
            yield server

    def check(self) -> None:
        """Everybody answers as Sightline does, or nothing is measured. Raises `SystemExit`."""
        answers = {}
        for peer in list(self.pythons):
            try:
                with self.running(peer, peer.settings[-1]) as server:
                    answers[peer.name] = [json.loads(ask(server.port, r)[1]) for r in self.requests(peer)]
            except RuntimeError as error:
                if peer.name == "Sightline":
                    raise
                self.absent[peer.name] = str(error)
                del self.pythons[peer]
        for name, theirs in answers.items():
            for ours, other in zip(answers["Sightline"], theirs, strict=True):
                wrong = differences(ours, other)
                if wrong:
                    raise SystemExit(f"{name} answers otherwise than Sightline: {'; '.join(wrong[:3])}")

    def choose(self) -> dict[Peer, Setting]:
        """The setting of each peer that answers most at 64 clients."""
        best = {}
        for peer in self.pythons:
            rates = []
            for setting in peer.settings:
                if len(peer.settings) == 1:
                    rates.append(0.0)
                    continue
                with self.running(peer, setting) as server:
                    result = self._load(server, peer, CLIENTS[-1])
                rates.append(result.per_second)
                self.tried.append(
                    {
                        "server": peer.name,
                        "setting": setting.name,
                        "per_second": result.per_second,
                        "p99_ms": result.p99_ms,
                        "errors": result.errors,
                    }
                )
                say(f"{self.kind}: {peer.name}, {setting.name}: {result.per_second:.1f} a second")
            best[peer] = peer.settings[rates.index(max(rates))]
        return best

    def _load(self, server: Server, peer: Peer, clients: int, rate: float = 0.0) -> Result:
        return run_apart(Job(server.port, self.requests(peer), clients, self.seconds, self.warmup, rate))

    def measure(self, peer: Peer, setting: Setting, round_: int) -> None:
        """One server's rows of one round."""
        with self.running(peer, setting) as server:
            pid, most = server.process.pid, 0.0
            loads = [(f"{clients} clients", clients, 0.0) for clients in CLIENTS] + [("half load", 256, 0.5)]
            for name, clients, share in loads:
                if share and not most:
                    continue  # nothing was answered: there is no half of it
                before = cpu_seconds(pid)
                with Watch(pid) as watch:
                    result = self._load(server, peer, clients, most * share)
                used = cpu_seconds(pid) - before
                most = max(most, result.per_second)
                told = {k: v for k, v in vars(result).items() if k != "outcomes"}
                answered = max(result.ok * (1 + self.warmup / result.seconds), 1)
                row = {"server": peer.name, "setting": setting.name, "load": name, "round": round_, **told}
                self.rows.append(
                    {**row, "rss_mb": watch.rss_mb, "pss_mb": watch.pss_mb, "server_cpu_ms": used / answered * 1000}
                )
                say(f"{self.kind}: {peer.name}, {name}: {result.per_second:.1f} a second, p99 {result.p99_ms:.1f} ms")

    def raw(self, round_: int) -> None:
        """The loop without a server: one worker, and every core by threads and by processes."""
        for how, workers in (("threads", 1), ("threads", WORKERS), ("processes", WORKERS)):
            command = [sys.executable, str(APPS.parent / "raw_loop.py"), how, str(workers), str(self.seconds)]
            variables = {"BENCH_KIND": self.kind, "SIGHTLINE_MODELS": str(self.models), "SIGHTLINE_OFFLINE": "1"}
            variables["PYTHONPATH"] = f"{SOURCE}{os.pathsep}{APPS}"
            out = subprocess.run(
                [*command, str(self.folder / self.kind)],
                env={**os.environ, **variables},
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
            told = json.loads(out.splitlines()[-1])
            self.rows.append(
                {"server": "no server", "setting": how, "load": f"{workers} workers", "round": round_, **told}
            )
            say(f"{self.kind}: no server, {workers} x {how}: {told['per_second']:.1f} a second")


def ceiling(requests: list[bytes], seconds: float) -> list[dict[str, Any]]:
    """What the load generator reaches against a server that does nothing: a lower bound, since both share the cores."""
    port = free_port()
    rows = []
    with Server([sys.executable, str(APPS / "trivial.py"), str(port)], port, {}) as server:
        server.wait(requests[0])
        for clients in CLIENTS:
            result = run_apart(Job(port, requests, clients, seconds, 0.5))
            rows.append(
                {
                    "clients": clients,
                    "per_second": result.per_second,
                    "client_cpu": result.client_cpu,
                    "request_bytes": statistics.mean(map(len, requests)),
                }
            )
    return rows


def medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each server and load the round whose throughput is the median (of p99 at half load)."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["server"], row["setting"], row["load"]), []).append(row)
    key = {"half load": "p99_ms"}
    return [
        sorted(group, key=lambda row: row[key.get(row["load"], "per_second")])[len(group) // 2]
        for group in groups.values()
    ]


def compare(kind: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    run = Comparison(kind, arguments, folder)
    limit = ceiling([pictures.multipart("/predict", {"image": data}) for data in run.pictures], arguments.seconds)
    rates = ", ".join(f"{row['per_second']:.0f}" for row in limit)
    say(f"{kind}: the load generator alone: {rates} a second")
    run.check()
    chosen = run.choose()
    for round_ in range(arguments.rounds):
        run.raw(round_)
        # Another order each round: what comes first finds a cooler machine.
        order = list(chosen)[round_ % len(chosen) :] + list(chosen)[: round_ % len(chosen)]
        for peer in order:
            run.measure(peer, chosen[peer], round_)
    rows = medians(run.rows)
    return {
        "kind": kind,
        "rows": rows,
        "rounds": run.rows,
        "tried": run.tried,
        "load_generator": limit,
        "absent": run.absent,
        "bars": report.bars(rows),
    }


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "versions": environments.versions(Path(sys.executable)),
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: whether it runs, not how fast")
    parser.add_argument("--kind", choices=list(KINDS), nargs="+", default=list(KINDS))
    parser.add_argument("--only", nargs="+", help="measure only these besides Sightline")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--environments", type=Path, default=environments.default_folder())
    arguments = parser.parse_args()
    arguments.warmup = 2.0
    if arguments.quick:
        arguments.seconds, arguments.rounds, arguments.warmup = 3.0, 1, 0.5
    told: dict[str, Any] = {
        "machine": machine(),
        "quick": arguments.quick,
        "seconds": arguments.seconds,
        "rounds": arguments.rounds,
        "questions": [],
    }
    from sightline.tasks import registry

    with tempfile.TemporaryDirectory() as folder:
        write_classifier(Path(folder) / "models")
        for kind in arguments.kind:
            if KINDS[kind] not in registry.TASKS:
                say(f"{kind} is left out: this version has no task {KINDS[kind]!r}")
                continue
            told["questions"].append(compare(kind, arguments, Path(folder)))
    report.write(told, "serving", arguments.out, report.serving_markdown(told), arguments.environments)


if __name__ == "__main__":
    main()
