"""What the Lambda handler costs: python benchmarks/lambda_handler.py [TASK]

Each row is a fresh process that imports the handler and answers one direct event: the time of the processor (user and
system) to the first answer and for a second one of the same picture, the time by the clock from the start of the
process to the first answer, and the peak memory.
"""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import subprocess
import sys
import time

PICTURES = (("JPEG", 512), ("JPEG", 1280), ("JPEG", 4000), ("PNG", 8000))
"""The last has as many pixels as are accepted unless the settings say otherwise."""


def event(kind: str, side: int, task: str) -> dict[str, str]:
    """A portrait of this size; as PNG on a grey ground, so that it compresses as far as an event has to."""
    import skimage.data
    from PIL import Image

    portrait = Image.fromarray(skimage.data.astronaut())
    buffer = io.BytesIO()
    if kind == "JPEG":
        portrait.resize((side, side)).save(buffer, "JPEG", quality=85)
    else:
        ground = Image.new("RGB", (side, side), (90, 90, 90))
        ground.paste(portrait.resize((1024, 1024)), (100, 100))
        ground.save(buffer, "PNG")
    return {"task": task, "image": base64.b64encode(buffer.getvalue()).decode()}


def answer() -> None:
    """In the fresh process: an event on stdin, the figures on stdout."""
    asked = json.load(sys.stdin)
    from sightline.protocols.lambda_ import handler

    first = handler(asked)
    assert "error" not in first, first
    clock, busy = time.time() - float(os.environ["STARTED"]), time.process_time()
    handler(asked)
    again = time.process_time() - busy
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"first": busy, "again": again, "clock": clock, "megabytes": megabytes}))


def main() -> None:
    task = sys.argv[1] if len(sys.argv) > 1 else "emotion"
    print(f"{'picture':<12}{'first, CPU':>12}{'again, CPU':>12}{'first, clock':>14}{'memory':>10}")
    for kind, side in PICTURES:
        asked = json.dumps(event(kind, side, task))
        environ = {**os.environ, "SIGHTLINE_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "STARTED": str(time.time())}
        done = subprocess.run(
            [sys.executable, __file__, "--answer"],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
            env=environ,
        )
        row = json.loads(done.stdout)
        seconds = "".join(f"{row[name]:>{wide}.2f} s" for name, wide in (("first", 10), ("again", 10), ("clock", 12)))
        print(f"{kind} {side:<7}{seconds}{row['megabytes']:>7.0f} MB")


if __name__ == "__main__":
    answer() if sys.argv[1:] == ["--answer"] else main()
