"""Small recordings, and the command line as a function or as a real process."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

from holdfast.cli import main

SRC = Path(__file__).resolve().parents[2] / "src"
HEADER = "open_time,open,high,low,close,volume,close_time"
FAST = "sma_cross:fast=3,slow=8"


def rows(count=200, start_ms=1_700_000_000_000):
    """A wave of one-minute bars, as CSV lines."""
    before = 100.0
    for number in range(count):
        now = 100 + 5 * math.sin(number / 8)
        low, high = min(before, now) - 0.05, max(before, now) + 0.05
        at = start_ms + number * 60_000
        yield f"{at},{before:.2f},{high:.2f},{low:.2f},{now:.2f},500,{at + 59_999}"
        before = now


def recording(folder, lines=None, name="SOLUSDT-1m.csv"):
    """Write a recording and return its path."""
    path = folder / name
    path.write_text("\n".join([HEADER, *(rows() if lines is None else lines)]) + "\n")
    return path


def run_json(capsys, *arguments):
    """Run a command in this process and return its exit code, its document and its stderr."""
    code = main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def environment():
    """A process's environment without settings of its own, and with the sources."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    return {**kept, "PYTHONPATH": str(SRC), "PYTHONUNBUFFERED": "1"}


def start(folder, *arguments):
    """Start `holdfast` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", *map(str, arguments)],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def full_pipe():
    """A pipe that takes nothing more, as one whose reader has stopped reading."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b"." * 4096)
    os.set_blocking(write_end, True)
    return read_end, write_end
