"""What it takes to begin: `holdfast --help`, importing the package, a session's memory.

The floor beside the first two is an interpreter that does nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
SESSION_S = 15


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    commands = {
        "floor: python -c pass": [sys.executable, "-c", "pass"],
        "import holdfast": [sys.executable, "-c", "import holdfast"],
        "holdfast --help": [sys.executable, "-m", "holdfast", "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):  # interleaved, so that a noisy spell hits all alike
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - began)
    for name, values in seconds.items():
        print(f"{name:<34}{statistics.median(values):>9.3f} s")
    memory = _memory_mb()
    print(f"{'a running session, peak memory':<34}{memory:>9.1f} MB")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {"seconds": medians, "session_peak_mb": memory}


def _memory_mb() -> float:
    """Run a session on the synthetic feed and return the most memory it held."""
    with tempfile.TemporaryDirectory(prefix="hfbench") as folder:
        command = [sys.executable, "-m", "holdfast", "run", "--json", "--no-report"]
        command += ["--speed", "20", "--for", f"{SESSION_S}s", "--data-dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _resident_mb(process.pid))
            time.sleep(0.2)
        output = process.stdout.read() if process.stdout else b"{}"
        assert json.loads(output)["status"] == "STOPPED", output
    return peak


def _resident_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return sizes[0] / 1024 if sizes else 0.0
