"""What a benchmark measured, as JSON, as a table and as a picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from serving import environments

Row = dict[str, Any]


def write(told: Row, name: str, folder: Path, markdown: str, kept: Path) -> None:
    """Put NAME.json, NAME.md and NAME.png into `folder` and print the table; `kept` is where environments are."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.json"
    source.write_text(json.dumps(told, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown)
    print(markdown)
    try:
        python = environments.python("plot", kept)
    except environments.NoEnvironment as error:
        print(f"no plot: {error}", file=sys.stderr)
        return
    plot = Path(__file__).with_name("plot.py")
    subprocess.run([str(python), str(plot), name, str(source), str(folder / f"{name}.png")], check=True)
    print(f"written: {source}, and .md and .png beside it", file=sys.stderr)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def find(rows: list[Row], server: str, load: str) -> Row | None:
    return next((row for row in rows if row["server"] == server and row["load"] == load), None)


def bars(rows: list[Row]) -> list[Row]:
    """The aims, each with what was measured: {"aim", "measured", "met"}. What was not measured is left out."""
    own = {load: find(rows, "Sightline", load) for load in ("1 clients", "64 clients", "half load")}
    one, many, half = own.values()
    raw = [row for row in rows if row["server"] == "no server"]
    single = [row for row in raw if row["load"] == "1 workers"]
    busy = [row["per_second"] for row in raw if row["load"] != "1 workers"]
    out: list[Row] = []
    if many and busy:
        share = many["per_second"] / max(busy)
        out.append({"aim": "0.90 of the loop without a server", "measured": f"{share:.2f}", "met": share >= 0.9})
    groups = {
        "the best FastAPI": (1.5, ("FastAPI, async def", "FastAPI, threads")),
        "LitServe": (2.0, ("LitServe",)),
        "BentoML": (2.0, ("BentoML",)),
    }
    for name, (factor, servers) in groups.items():
        found = [row for row in (find(rows, server, "64 clients") for server in servers) if row]
        if many and found:
            best = max(found, key=lambda row: row["per_second"])
            times, later = many["per_second"] / max(best["per_second"], 1e-9), many["p99_ms"] / best["p99_ms"]
            out.append(
                {
                    "aim": f"{factor} x {name} at 64 clients, p99 no worse",
                    "measured": f"{times:.2f} x, p99 {later:.2f} x",
                    "met": times >= factor and later <= 1,
                }
            )
    if half:
        ratio = half["p99_ms"] / half["p50_ms"]
        out.append({"aim": "p99 at half load under 3 x p50", "measured": f"{ratio:.2f} x", "met": ratio < 3})
    if one and single:
        more = one["p50_ms"] - single[0]["p50_ms"]
        out.append({"aim": "one client: under 2 ms over the raw call", "measured": f"{more:.1f} ms", "met": more < 2})
    return out


def serving_markdown(told: Row) -> str:
    """Everything of `serving_vs_peers.py` for people."""
    parts = [_machine(told)]
    for question in told["questions"]:
        parts.append(f"\n## {question['kind']}\n\n")
        rows = []
        for row in question["rows"]:
            if row["server"] == "no server":
                what = [f"no server, {row['setting']}", row["load"], f"{row['per_second']:.1f}", f"{row['p50_ms']:.1f}"]
                rows.append([*what, "", "", "", "", "", ""])
                continue
            errors = ", ".join(f"{count} x {kind}" for kind, count in row["errors"].items()) or "0"
            pss = f"{row['pss_mb']:.0f}" if row["pss_mb"] else ""
            rows.append(
                [
                    f"{row['server']} ({row['setting']})",
                    row["load"],
                    f"{row['per_second']:.1f}",
                    f"{row['p50_ms']:.1f}",
                    f"{row['p99_ms']:.1f}",
                    errors,
                    f"{row['rss_mb']:.0f}",
                    pss,
                    f"{row['server_cpu_ms']:.1f}",
                    f"{row['client_cpu']:.1%}",
                ]
            )
        heads = ["server", "load", "answers/s", "p50 ms", "p99 ms", "errors", "RSS MB", "PSS MB", "CPU ms an answer"]
        parts.append(table([*heads, "load generator's CPU"], rows))
        limit = ", ".join(f"{r['per_second']:,.0f} at {r['clients']}" for r in question["load_generator"])
        size = question["load_generator"][0]["request_bytes"] / 1024
        parts.append(
            f"\nThe load generator against a server that does nothing ({size:.0f} KB a request): {limit} clients.\n"
        )
        for name, why in question["absent"].items():
            parts.append(f"\n{name} is not measured: {why}\n")
        if question["tried"]:
            tried = [
                [t["server"], t["setting"], f"{t['per_second']:.1f}", f"{t['p99_ms']:.0f}"] for t in question["tried"]
            ]
            parts.append("\nSettings tried at 64 clients; the best of each server is in the table above:\n\n")
            parts.append(table(["server", "setting", "answers/s", "p99 ms"], tried))
        parts.append("\n" + table(["aim", "measured", "met"], [_bar(b) for b in question["bars"]]))
    return "".join(parts)


def _bar(bar: Row) -> list[str]:
    return [bar["aim"], bar["measured"], "yes" if bar["met"] else "no"]


def _machine(told: Row) -> str:
    machine = told["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    text = f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}, {versions}"
    text += f"; load average before: {machine['load_before']:.1f}.\n"
    if told["quick"]:
        text += "A quick run: it shows that everything runs, and no figure of it counts.\n"
    return text
