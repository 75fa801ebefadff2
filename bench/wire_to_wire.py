"""Market frame out of the venue to order frame into it, over real sockets, side by side.

All programs meet the same exchange through the same tap (`bench.wire.tap`), take turns, and
answer the same marked trades with a signed market order over the WebSocket API. The floor is the
bare loop: no risk, no journal, no books. Spinners at nice 19 keep the cores awake, unless
BENCH_IDLE is set: compare figures of one regime alone. NAUTILUS=/path/to/python adds
NautilusTrader 2 from an environment of its own.

The venue, which is the exchange and the tap, has one core, and the program under test another.
Left alone, the kernel likes to wake the tap on the core of whom it hears from, where it waits
until that one has done what comes after its order: then what is measured is not the order's way.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bench.wire import tap as marks
from holdfast.engine.risk import RULES
from holdfast.runtime.assembly import INDISPENSABLE

HERE = Path(__file__).parent
NAUTILUS = os.environ.get("NAUTILUS", "")
"""The Python of an environment with NautilusTrader 2, if there is one."""

CCXT = HERE.parent / ".venv-clients" / "ccxt" / "bin" / "python"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ORDERS = int(os.environ.get("BENCH_ORDERS", "100"))
SPACING_S = 0.005
EVERY = int(os.environ.get("BENCH_EVERY", "16"))
"""A marked trade among so many: 12 orders a second stay within the venue's limits."""

QTY = "0.002"
ORDER = (marks.BUY, marks.CLOSE, QTY)
NAMED_KEY = "ed25519"
START_S = 40.0
SETTLE_S = 2.0
CORES = sorted(os.sched_getaffinity(0))
VENUE_CORE, PROGRAM_CORE = CORES[0], CORES[-1]
Program = Callable[[str, str, Path], "subprocess.Popen[bytes]"]
"""Starts a program, given the exchange's REST address, the tap's, and a folder of its own."""

LOOSE = """
[risk]
duplicate_window_s = 0
max_messages = 5000
max_executions = 1000
stop_loss_pct = 0
take_profit_pct = 0
"""
POWER = '[journal]\ndurability = "power"\n'
HOLDFAST = ("-m", "holdfast")
NO_JOURNAL = (str(HERE / "wire" / "no_journal.py"),)
RULES_OFF = sorted(set(RULES) - INDISPENSABLE)
NO_RISK = f"disabled = {json.dumps(RULES_OFF)}\n"  # still in the table [risk]


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    programs = _programs()
    found: dict[str, list[int]] = {name: [] for name in programs}
    missed = dict.fromkeys(programs, 0)
    with contextlib.ExitStack() as stack:
        if "BENCH_IDLE" not in os.environ:
            stack.enter_context(_spinners())
        for _ in range(ROUNDS):  # in turns, so that a noisy spell hits all alike
            for name, command in programs.items():
                answer = _one(command)
                found[name] += answer["ns"]
                missed[name] += answer["missed"]
    return _table(found, missed)


def _table(found: dict[str, list[int]], missed: dict[str, int]) -> dict[str, object]:
    figures: dict[str, object] = {}
    bare = _quantiles(found["bare"])
    print(f"{'market frame -> order frame, us':<40}{'p50':>8}{'p90':>8}{'p99':>8}{'x bare':>8}")
    for name, values in found.items():
        if not values:
            print(f"{name:<40}  no order came")
            continue
        p50, p90, p99 = _quantiles(values)
        print(f"{name:<40}{p50:>8.0f}{p90:>8.0f}{p99:>8.0f}{p50 / bare[0]:>8.2f}")
        figures[name] = {
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "x_bare_p50": p50 / bare[0],
            "x_bare_p99": p99 / bare[2],
            "orders": len(values),
            "missed": missed[name],
        }
    return {"us": figures, "spacing_s": SPACING_S, "is_warm": "BENCH_IDLE" not in os.environ}


def _quantiles(values: list[int]) -> tuple[float, float, float]:
    cuts = statistics.quantiles([value / 1000 for value in values], n=100)
    return cuts[49], cuts[89], cuts[98]


def _programs() -> dict[str, Program]:
    """Name -> what starts the program, given where the exchange and the tap are."""
    programs: dict[str, Program] = {
        "bare": _bare,
        "holdfast": _holdfast,
        'holdfast, durability "power"': functools.partial(_holdfast, more=POWER),
        "holdfast, journal in memory": functools.partial(_holdfast, started_by=NO_JOURNAL),
        "holdfast, no risk rules": functools.partial(_holdfast, more=NO_RISK),
    }
    if CCXT.exists():
        programs["ccxt.pro create_order_ws"] = _ccxt
    else:
        print("ccxt.pro is not installed (make test installs it): left out")
    if NAUTILUS:
        programs["NautilusTrader 2, orders over WebSocket"] = _nautilus
    else:
        print("NAUTILUS names no Python that has NautilusTrader 2: left out")
    return programs


def _bare(rest: str, wire: str, folder: Path) -> subprocess.Popen[bytes]:
    del rest, folder
    api = f"{wire}/ws-fapi/v1"
    arguments = ["test", "test", wire, api, marks.SYMBOL, marks.BUY, marks.CLOSE, QTY]
    return subprocess.Popen([sys.executable, str(HERE / "wire" / "bare.py"), *arguments])


def _ccxt(rest: str, wire: str, folder: Path) -> subprocess.Popen[bytes]:
    del folder
    api = f"{wire}/ws-fapi/v1"
    arguments = ["test", "test", rest, wire, api, marks.BUY, marks.CLOSE, QTY]
    return subprocess.Popen([str(CCXT), str(HERE / "wire" / "ccxt_pro.py"), *arguments])


def _nautilus(rest: str, wire: str, folder: Path) -> subprocess.Popen[bytes]:
    del folder
    arguments = [rest, wire, f"{wire}/ws-fapi/v1", NAMED_KEY, str(_key()), *ORDER]
    return subprocess.Popen([NAUTILUS, str(HERE / "wire" / "nautilus2.py"), *arguments])


@functools.cache
def _key() -> Path:
    """Make a private key, and its public one beside it: NautilusTrader 2 signs with Ed25519."""
    folder = Path(tempfile.mkdtemp(prefix="hfbench"))
    atexit.register(shutil.rmtree, folder)
    key = Ed25519PrivateKey.generate()
    (folder / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (folder / "key.pub").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return folder / "key.pem"


def _holdfast(
    rest: str, wire: str, folder: Path, *, more: str = "", started_by: Sequence[str] = HOLDFAST
) -> subprocess.Popen[bytes]:
    config = folder / "holdfast.toml"
    venue = (
        f'[venue]\nname = "binance_futures"\nrest_url = "{rest}"\nstream_url = "{wire}"\n'
        f'ws_api_url = "{wire}/ws-fapi/v1"\napi_key = "test"\napi_secret = "test"\n'
    )
    config.write_text(venue + LOOSE + more)
    config.chmod(0o600)  # it holds a secret
    command = [sys.executable, *started_by, "run", "--config", str(config), "--json", "--live"]
    command += ["--strategy", f"{HERE / 'wire' / 'echo_strategy.py'}:Echo"]
    command += ["--symbols", marks.SYMBOL, "--data-dir", str(folder / "data"), "--no-report"]
    wanted = {"BENCH_BUY": marks.BUY, "BENCH_CLOSE": marks.CLOSE, "BENCH_QTY": QTY}
    return subprocess.Popen(command, env=os.environ | wanted, stdout=subprocess.DEVNULL)


def _one(start: Program) -> dict[str, Any]:
    """Let one program answer so many marked trades."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hfbench")))
        exchange = stack.enter_context(_process(_exchange_command()))
        where = json.loads(exchange[1].readline())
        command = [sys.executable, "-m", "bench.wire.tap", where["streams"], where["ws_api"]]
        inlet, outlet = stack.enter_context(_process(command))
        wire = f"ws://127.0.0.1:{json.loads(outlet.readline())['port']}"
        with _on(PROGRAM_CORE):
            program = start(where["rest"], wire, folder)
        try:
            _until_listening(inlet, outlet, program)
            ask = {"do": "measure", "count": ORDERS, "spacing_s": SPACING_S, "every": EVERY}
            answer: dict[str, Any] = _ask(inlet, outlet, ask)
        finally:
            program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
    return answer


def _exchange_command() -> list[str]:
    command = [sys.executable, "-m", "holdfast", "exchange", "--unlimited", "--feed", "synthetic"]
    command += ["--account", "test:test", "--account", f"{NAMED_KEY}:@{_key().with_suffix('.pub')}"]
    return [*command, "--symbols", marks.SYMBOL, "--balance", "100000"]


def _until_listening(inlet: IO[bytes], outlet: IO[bytes], program: subprocess.Popen[bytes]) -> None:
    """Wait until a program hears trades and has had time to settle."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        state = _ask(inlet, outlet, {"do": "state"})
        if state["ears"] and state["price"]:
            time.sleep(SETTLE_S)
            return
        if program.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"it never asked for trades: {program.args!r}")


def _ask(inlet: IO[bytes], outlet: IO[bytes], document: dict[str, Any]) -> dict[str, Any]:
    inlet.write(json.dumps(document).encode() + b"\n")
    inlet.flush()
    answer: dict[str, Any] = json.loads(outlet.readline())
    return answer


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    with _on(VENUE_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def _on(core: int) -> Iterator[None]:
    """Start processes on one core alone."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextlib.contextmanager
def _spinners() -> Iterator[None]:
    """Keep every core from falling asleep: waking one up costs more than what is measured."""
    code = "import os\nos.nice(19)\nwhile True: pass"
    spinning = []
    for core in {VENUE_CORE, PROGRAM_CORE}:
        with _on(core):
            spinning.append(subprocess.Popen([sys.executable, "-c", code]))
    try:
        yield
    finally:
        for each in spinning:
            each.kill()
            each.wait()
