"""An hour of trading at 2,000 market messages a second: does memory grow, do orders get slower?

`holdfast run` trades on `holdfast exchange` through the tap of `bench.wire`: real sockets, journal
on disk, all rules. The tap puts trades in between the exchange's own, and every 200th of them has
to be answered by an order; frame to order is what the tap sees. Each minute gives a point of
memory, CPU, p50 and p99; the first minute is laid beside the last. MINUTES sets the length.

The cores are not kept awake by spinners here: compare minutes with each other, not with
`wire_to_wire`.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import rich
from rich.table import Table

from bench.memory import mb_of
from bench.wire import tap as marks

MINUTES = float(os.environ.get("MINUTES", "60"))
PER_S = int(os.environ.get("PER_S", "2000"))
EVERY = 200
PIECE_S = 5.0
"""How long the tap works on one command; memory is looked at in between."""

START_S = 60.0
SETTLE_S = 3.0
GOAL_MB = 100.0
HERE = Path(__file__).parent
CONFIG = """
[venue]
name = "binance_futures"
rest_url = "{rest}"
stream_url = "{wire}"
ws_api_url = "{wire}/ws-fapi/v1"
api_key = "test"
api_secret = "test"

[risk]
duplicate_window_s = 0
max_messages = 5000
max_executions = 1000
stop_loss_pct = 0
take_profit_pct = 0
max_daily_loss_pct = 1
"""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BARS = " ▁▂▃▄▅▆▇█"


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hfsoak")))
        exchange = stack.enter_context(_process(_exchange()))
        where = json.loads(exchange[1].readline())
        tap = stack.enter_context(
            _process([sys.executable, "-m", "bench.wire.tap", where["streams"], where["ws_api"]])
        )
        wire = f"ws://127.0.0.1:{json.loads(tap[1].readline())['port']}"
        program = _holdfast(folder, where["rest"], wire)
        try:
            _until_listening(tap, program)
            minutes = _soak(tap, program.pid)
            end = _ended(program)
        finally:
            program.kill()
            program.wait()
    _print(minutes, end)
    return {"minutes": minutes, "end": end, "per_s": PER_S, "goal_mb": GOAL_MB}


def _exchange() -> list[str]:
    command = [sys.executable, "-m", "holdfast", "exchange", "--unlimited", "--feed", "synthetic"]
    return [*command, "--symbols", marks.SYMBOL, "--balance", "1000000"]


def _holdfast(folder: Path, rest: str, wire: str) -> subprocess.Popen[bytes]:
    config = folder / "holdfast.toml"
    config.write_text(CONFIG.format(rest=rest, wire=wire))
    config.chmod(0o600)  # it holds a secret
    command = [sys.executable, "-m", "holdfast", "run", "--config", str(config), "--json", "--live"]
    command += ["--strategy", f"{HERE / 'wire' / 'echo_strategy.py'}:Echo"]
    command += ["--symbols", marks.SYMBOL, "--data-dir", str(folder / "data"), "--no-report"]
    wanted = {"BENCH_BUY": marks.BUY, "BENCH_CLOSE": marks.CLOSE, "BENCH_QTY": "0.002"}
    return subprocess.Popen(command, env=os.environ | wanted, stdout=subprocess.PIPE)


Pipes = tuple[IO[bytes], IO[bytes]]


@contextlib.contextmanager
def _process(command: list[str]) -> Any:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()


def _ask(tap: Pipes, document: dict[str, Any]) -> dict[str, Any]:
    tap[0].write(json.dumps(document).encode() + b"\n")
    tap[0].flush()
    answer: dict[str, Any] = json.loads(tap[1].readline())
    return answer


def _until_listening(tap: Pipes, program: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and program.poll() is None:
        state = _ask(tap, {"do": "state"})
        if state["ears"] and state["price"]:
            time.sleep(SETTLE_S)
            return
        time.sleep(0.2)
    raise RuntimeError("the session never asked for trades")


def _soak(tap: Pipes, pid: int) -> list[dict[str, float]]:
    """Trade for so many minutes; return a point for each."""
    count = max(1, round(PER_S * PIECE_S / (2 * EVERY)))
    piece = {"do": "measure", "count": count, "spacing_s": 1 / PER_S, "every": EVERY}
    points: list[dict[str, float]] = []
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        began, cpu = time.monotonic(), _cpu_s(pid)
        took: list[int] = []
        pieces = missed = 0
        peak = 0.0
        while time.monotonic() < min(began + 60, end):
            answer = _ask(tap, piece)
            took += answer["ns"]
            missed += answer["missed"]
            pieces += 1
            peak = max(peak, mb_of(pid))
        elapsed = time.monotonic() - began
        points.append(
            {
                "mb": round(peak, 1),
                "p50_us": round(statistics.median(took) / 1000),
                "p99_us": round(statistics.quantiles(took, n=100)[98] / 1000),
                "orders": 2 * len(took),
                "missed": missed,
                "per_s": round(pieces * count * 2 * EVERY / elapsed),
                "core": round((_cpu_s(pid) - cpu) / elapsed, 3),
            }
        )
        print(f"minute {len(points)}: {points[-1]}", file=sys.stderr, flush=True)
    return points


def _cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _ended(program: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Stop the session in order and return what it says of itself."""
    program.terminate()
    said, _ = program.communicate(timeout=60)
    lines = said.decode().strip().splitlines()
    last: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return {"exit": program.returncode, "said": last}


def _print(minutes: list[dict[str, float]], end: dict[str, Any]) -> None:
    first, last = minutes[0], minutes[-1]
    table = Table("", title=f"{len(minutes)} minutes at {PER_S:,} messages a second")
    for heading in ("first minute", "last minute", "most", "minute by minute"):
        table.add_column(heading, justify="right" if heading != "minute by minute" else "left")
    rows = {"mb": "memory, MB", "p50_us": "frame to order, p50 us", "p99_us": "p99 us"}
    for key, name in (rows | {"core": "of a core", "per_s": "messages/s"}).items():
        values = [point[key] for point in minutes]
        table.add_row(name, f"{first[key]:,}", f"{last[key]:,}", f"{max(values):,}", _line(values))
    rich.print(table)
    missed = sum(point["missed"] for point in minutes)
    orders = sum(point["orders"] for point in minutes)
    print(f"{orders:,.0f} orders, {missed:.0f} without an answer; exit code {end['exit']}")


def _line(values: list[float], width: int = 60) -> str:
    """Draw values as a line of blocks, between the lowest and the highest."""
    step = max(1, -(-len(values) // width))
    shown = [max(values[i : i + step]) for i in range(0, len(values), step)]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BARS[1 + round((value - low) / span * 7)] for value in shown)
