"""The figures of the README, measured again on this machine: `make figures`.

python benchmarks/figures.py [--repeat N]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time


def import_seconds(repeat: int) -> float:
    """Median seconds that `import sightline` adds to an empty Python."""

    def run(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    run("import sightline")  # compiles, and brings the files into memory
    pairs = [(run("import sightline"), run("pass")) for _ in range(repeat)]
    return statistics.median(with_it - without for with_it, without in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"import sightline: {import_seconds(arguments.repeat):.3f} s")
    command = [sys.executable, "-m", "sightline.cli", "bench", "--repeat", str(arguments.repeat), "--json"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    print("| task | photo | median | of it decoding | drawing besides | first answer of a new process | memory then |")
    print("|---|---|---|---|---|---|---|")
    for row in json.loads(out):
        print(
            f"| `{row['task']}` | {row['pixels']} px | {row['median_ms']} ms | {row['decode_ms']} ms "
            f"| {row['drawing_ms']} ms | {row['first_answer_s']} s | {row['peak_mb_at_first']} MB |"
        )


if __name__ == "__main__":
    main()
