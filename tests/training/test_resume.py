"""A run that is killed and resumed ends where the unbroken run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

import sightline.training as training


def start(data: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    root = Path(training.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    words = ["emotion", "--data", str(data), "--out", str(out), "--epochs", "4", "--architecture", "emotion-classic"]
    command = [sys.executable, "-m", "sightline.cli", "train", *words, *more]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def lines(out: Path) -> list[dict[str, float]]:
    log = out / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_killed_and_resumed_is_the_same_run(expressions: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(expressions, whole).wait(240) == 0

    run = start(expressions, broken)
    deadline = time.monotonic() + 120
    while not (broken / "checkpoint.pt").exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert start(expressions, broken, "--resume").wait(240) == 0

    ours, theirs = lines(broken), lines(whole)
    assert [line["epoch"] for line in ours] == [line["epoch"] for line in theirs] == [0, 1, 2, 3]
    for a, b in zip(ours, theirs, strict=True):
        assert abs(a["loss"] - b["loss"]) < 1e-3
    one = torch.load(whole / "checkpoint.pt", weights_only=True)["average"]
    two = torch.load(broken / "checkpoint.pt", weights_only=True)["average"]
    assert all(torch.allclose(one[key].float(), two[key].float(), atol=1e-3) for key in one)


def test_one_clear_line_for_wrong_data(tmp_path: Path) -> None:
    run = start(tmp_path, tmp_path / "out")
    _, said = run.communicate(timeout=120)
    assert run.returncode == 2
    assert said.decode().strip().startswith("sightline:")
    assert len(said.decode().splitlines()) == 1
