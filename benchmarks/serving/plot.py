"""Draws what a benchmark wrote as JSON. Runs in the environment `plot`.

python plot.py serving|soak|cold_start RESULT.json OUT.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {
    "Sightline": "#0b6e4f",
    "FastAPI, async def": "#9aa5b1",
    "FastAPI, threads": "#616e7c",
    "LitServe": "#b4690e",
    "BentoML": "#7048a0",
}
Row = dict[str, Any]


def serving(told: Row) -> plt.Figure:
    """A row of three charts a question: throughput, p99, memory at 64 clients."""
    questions = told["questions"]
    figure, axes = plt.subplots(len(questions), 3, figsize=(14, 4.2 * len(questions)), squeeze=False)
    for line, question in zip(axes, questions, strict=True):
        rows = [row for row in question["rows"] if row["server"] != "no server"]
        raw = [r["per_second"] for r in question["rows"] if r["server"] == "no server" and r["load"] != "1 workers"]
        names = [name for name in COLOURS if any(row["server"] == name for row in rows)]
        for name in names:
            mine = [row for row in rows if row["server"] == name and row["load"].endswith("clients")]
            clients = [row["load"].split()[0] for row in mine]
            line[0].plot(clients, [row["per_second"] for row in mine], "o-", color=COLOURS[name], label=name)
            line[1].plot(clients, [row["p99_ms"] for row in mine], "o-", color=COLOURS[name], label=name)
        if raw:
            line[0].axhline(max(raw), color="black", linestyle=":", label="no server: the ceiling")
        line[0].set(title=f"{question['kind']}: answers a second", xlabel="clients", ylim=(0, None))
        line[0].legend(fontsize=8)
        line[1].set(title="p99, milliseconds", xlabel="clients", yscale="log")
        full = [next(r for r in rows if r["server"] == name and r["load"] == "64 clients") for name in names]
        line[2].barh(names, [row["pss_mb"] or row["rss_mb"] for row in full], color=[COLOURS[name] for name in names])
        line[2].invert_yaxis()
        line[2].set(title="memory at 64 clients, MB")
    return figure


def soak(told: Row) -> plt.Figure:
    """Memory and p99 over the run, and the counts of what was answered."""
    figure, (memory, late, kinds) = plt.subplots(1, 3, figsize=(15, 4.4))
    memory.plot([s["requests"] for s in told["memory"]], [s["rss_mb"] for s in told["memory"]], color="#0b6e4f")
    memory.axvline(told["warm_after"], color="black", linestyle=":", label="warm from here")
    memory.set(title="resident memory, MB", xlabel="requests", ylim=(0, None))
    memory.legend(fontsize=8)
    tenths = told["tenths"]
    late.plot(range(1, len(tenths) + 1), [t["p99_ms"] for t in tenths], "o-", color="#b4690e", label="p99")
    late.plot(range(1, len(tenths) + 1), [t["p50_ms"] for t in tenths], "o-", color="#0b6e4f", label="p50")
    late.set(title="latency of good pictures, ms", xlabel="tenth of the run", ylim=(0, None))
    late.legend(fontsize=8)
    counts = told["answers"]
    kinds.barh(list(counts), list(counts.values()), color="#616e7c")
    kinds.invert_yaxis()
    kinds.set(title="answers by status and code", xscale="log", xlim=(0.8, None))
    return figure


def cold_start(told: Row) -> plt.Figure:
    """Seconds to the first answer, and the most memory until then."""
    figure, (seconds, memory) = plt.subplots(1, 2, figsize=(12, 3.4))
    names = [row["name"] for row in told["rows"]]
    colours = ["#616e7c" if row["name"].startswith("fer") else "#0b6e4f" for row in told["rows"]]
    seconds.barh(names, [row["seconds"] for row in told["rows"]], color=colours)
    memory.barh(names, [row["peak_mb"] for row in told["rows"]], color=colours)
    seconds.set(title="process start to first answer, seconds")
    memory.set(title="peak memory until then, MB")
    memory.set_yticklabels([])
    for axis in (seconds, memory):
        axis.invert_yaxis()
    return figure


def main() -> None:
    kind, source, out = sys.argv[1:4]
    told = json.loads(Path(source).read_text())
    figure = {"serving": serving, "soak": soak, "cold_start": cold_start}[kind](told)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
