"""Cold start: from the start of a process to its first answer, and the most memory until then.

    python benchmarks/cold_start.py [--quick] [--repeat 7] [--out build/benchmarks]

The question is `emotion`, a photo of 1280 pixels. Measured: Sightline's server (HTTP), its Lambda handler, its library,
and the package `fer` (Haar cascade and a TensorFlow Lite network inside TensorFlow), in an environment of its own.
Files are in the page cache: what is measured is the work of starting, not the disk. Needs Linux.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serving import environments, pictures, report
from serving.environments import SOURCE
from serving.processes import Server, free_port, peak_mb

# Each program answers the photo at argv[1], prints "faces N", and its own peak in kilobytes.
_PEAK = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)"
LIBRARY = """
import sys, sightline
answer = sightline.load("emotion")(sys.argv[1])
print("faces", len(answer.faces), flush=True)"""
LAMBDA = """
import json, sys
from sightline.protocols.lambda_ import handler
reply = handler(json.load(open(sys.argv[2])), None)
print("faces", len(json.loads(reply["body"])["faces"]), flush=True)"""
FER = """
import sys, cv2
from fer.fer import FER
print("faces", len(FER().detect_emotions(cv2.imread(sys.argv[1]))), flush=True)"""


def program(python: Path, code: str, *arguments: str) -> dict[str, float]:
    """Run a program in a fresh process. Raises `RuntimeError` where it finds no face."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "SIGHTLINE_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(python), "-c", code + _PEAK, *arguments], env=environment, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout
        line = b""
        while process.poll() is None and not line.startswith(b"faces"):  # libraries print on the way
            line = process.stdout.readline()
        answered = time.perf_counter()
        rest = process.communicate()[0].split()
        if process.returncode or not line.startswith(b"faces") or int(line.split()[1]) < 1:
            errors.seek(0)
            raise RuntimeError(f"no answer: {line.decode()}{errors.read().decode()[-1500:]}")
    return {"seconds": answered - begun, "peak_mb": int(rest[-1]) / 1024}


def server(request: bytes) -> dict[str, float]:
    """`sightline serve emotion`, asked until it answers 200."""
    port = free_port()
    command = [sys.executable, "-m", "sightline.cli", "serve", "emotion", "--port", str(port)]
    begun = time.perf_counter()
    with Server(command, port, {"PYTHONPATH": str(SOURCE), "SIGHTLINE_OFFLINE": "1"}) as running:
        answered = running.wait(request)
        return {"seconds": answered - begun, "peak_mb": peak_mb(running.process.pid)}


def event(photo: bytes) -> dict[str, Any]:
    """What API Gateway (payload format 2.0) hands to a function for a POST of a picture."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/emotion",
        "rawQueryString": "",
        "headers": {"content-type": "image/jpeg", "content-length": str(len(photo))},
        "requestContext": {"http": {"method": "POST", "path": "/v1/emotion"}, "requestId": "cold-start"},
        "body": base64.b64encode(photo).decode(),
        "isBase64Encoded": True,
    }


def measured(name: str, once: Callable[[], dict[str, float]], repeat: int) -> dict[str, Any]:
    """Medians of `repeat` starts, after one that brings the files into memory."""
    once()
    runs = [once() for _ in range(repeat)]
    print(f"{name}: {[round(run['seconds'], 2) for run in runs]} s", file=sys.stderr, flush=True)
    return {
        "name": name,
        **{key: statistics.median(run[key] for run in runs) for key in ("seconds", "peak_mb")},
        "slowest": max(run["seconds"] for run in runs),
    }


def markdown(told: dict[str, Any]) -> str:
    rows = [
        [row["name"], f"{row['seconds']:.2f} s", f"{row['slowest']:.2f} s", f"{row['peak_mb']:.0f} MB"]
        for row in told["rows"]
    ]
    text = report.table(["what", "first answer after", "slowest", "peak memory"], rows)
    text += "".join(f"\n{name} is not measured: {why}\n" for name, why in told["absent"].items())
    return text + ("\nA quick run: no figure of it counts.\n" if told["quick"] else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one start of each: whether it runs, not how fast")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--environments", type=Path, default=environments.default_folder())
    arguments = parser.parse_args()
    repeat = 1 if arguments.quick else arguments.repeat
    photo, own = pictures.photos()[0], Path(sys.executable)
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path, asked = Path(folder) / "photo.jpg", Path(folder) / "event.json"
        path.write_bytes(photo)
        asked.write_text(json.dumps(event(photo)))
        request = pictures.multipart("/v1/emotion", {"image": photo})
        rows = [
            measured("Sightline, server", lambda: server(request), repeat),
            measured("Sightline, library", lambda: program(own, LIBRARY, str(path)), repeat),
        ]
        if find_spec("sightline.protocols.lambda_"):
            once = lambda: program(own, LAMBDA, str(path), str(asked))  # noqa: E731
            rows.insert(1, measured("Sightline, Lambda handler", once, repeat))
        else:
            absent["The Lambda handler"] = "this version has none"
        try:
            python = environments.python("fer", arguments.environments)
            fer = environments.versions(python, ("fer", "tensorflow-cpu"))
            name = ", ".join(f"{package} {version}" for package, version in fer.items())
            rows.append(measured(name, lambda: program(python, FER, str(path)), repeat))
        except (environments.NoEnvironment, RuntimeError) as error:
            absent["fer"] = str(error)
    told = {"rows": rows, "absent": absent, "quick": arguments.quick, "repeat": repeat}
    report.write(told, "cold_start", arguments.out, markdown(told), arguments.environments)


if __name__ == "__main__":
    main()
