"""Worker processes end with the one that started them, also where that is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.desk import environment

PATIENCE_S = 60.0
SWEEP = ("replay", "BTCUSDT-1m.csv", "-s", "sma_cross", "--grid", "fast=2:400:1", "--jobs", "2")
SIMULATE = ("simulate", "--minutes", "0.3", "--seeds", "100000", "--jobs", "2")


def _until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


def _workers(parent_id):
    children = Path(f"/proc/{parent_id}/task/{parent_id}/children").read_text(encoding="ascii")
    return [each for each in children.split() if "spawn_main" in _words(each)]


def _words(process_id):
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text(encoding="utf-8")
    except OSError:  # it has ended
        return ""


def _write_bars(path):
    lines = [
        f"{1_746_374_400_000 + minute * 60_000},100,101,99,100,10" for minute in range(1, 5_000)
    ]
    path.write_text("\n".join(["open_time,open,high,low,close,volume", *lines]))


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("words", [SWEEP, SIMULATE], ids=["replay", "simulate"])
def test_workers_end_with_a_command_that_is_killed(tmp_path, words):
    _write_bars(tmp_path / "BTCUSDT-1m.csv")
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        workers = _until(lambda: len(found := _workers(process.pid)) == 2 and found)
        process.kill()
        process.wait()

    _until(lambda: not any("spawn_main" in _words(each) for each in workers))
