"""What it takes to start again on a long journal: own it, read the snapshot, fold what follows.

The floor beside it folds every fact, as a start without a snapshot does. Each start is a process of
its own, from the interpreter's first instruction to an engine and its statistics, the best of
`STARTS`; a killed session leaves up to `SNAPSHOT_FACTS` facts behind its snapshot, so does this.
A longer journal is made by JOURNAL=path and FACTS=10000000, and is kept there; its snapshot is
held against the fold of all its facts by CHECK=1.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import rich
from rich.table import Table

from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.model.values import (
    AccountId,
    ClOrdId,
    NewOrder,
    SessionId,
    Side,
    StrategyId,
    Symbol,
    TradeId,
)
from holdfast.runtime.beat import SNAPSHOT_FACTS
from holdfast.runtime.figures import Figures
from holdfast.runtime.recovery import StateRecoveryService

SIZES = [int(size) for size in os.environ.get("FACTS", "10 1000 10000 100000 1000000").split()]
KEPT = os.environ.get("JOURNAL", "")
STARTS = 3
GOAL_S = 2.0
"""For a million facts."""
FOLDED_MAX = 100_000
"""Longer journals are not folded whole: the floor grows with their length."""

BATCH = 1_000
SESSION = SessionId("bench")
ACCOUNT, BTC = AccountId("main"), Symbol("BTCUSDT")
QTY, BENCH = Decimal("0.015"), StrategyId("bench")
BEGAN = 1_700_000_000 * 10**9

_START = """
import json, sys, time
from holdfast.journal import open_journal
from holdfast.model.values import SessionId
from holdfast.runtime.figures import Figures
from holdfast.runtime.recovery import StateRecoveryService
journal = open_journal(sys.argv[1])
recovered = StateRecoveryService(journal).recover()
figures = Figures(SessionId(sys.argv[2]))
figures.recall(journal, recovered, is_resumed=True)
found = {"folded": recovered.facts_folded, "fills": figures.stats().fills}
found["cpu_seconds"] = time.process_time()
print(json.dumps(found))
"""


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    figures = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="hfbench") as folder:
            figures[size] = _measured(Path(KEPT or Path(folder) / "journal.db"), size)
    _print(figures)
    return {"restart": figures, "starts": STARTS, "goal_s": GOAL_S}


def _measured(path: Path, size: int) -> dict[str, float | None]:
    if not path.exists():
        _write(path, size)
    if "CHECK" in os.environ:
        began = time.perf_counter()
        assert not _problem(path)
        print(f"snapshot equal to the fold of {size:,} facts: {time.perf_counter() - began:.0f} s")
    start = min((_started(path) for _ in range(STARTS)), key=lambda each: each["seconds"])
    assert start["folded"] <= SNAPSHOT_FACTS
    whole = None
    if size <= FOLDED_MAX:
        journal = open_journal(path)
        journal.save_snapshot(0, b"")  # of no version: every fact is folded
        journal.close()
        whole = _started(path)
        assert (whole["folded"], whole["fills"]) == (size, start["fills"])
    return {
        "seconds": round(start["seconds"], 3),
        "cpu_seconds": round(start["cpu_seconds"], 3),
        "folded": start["folded"],
        "whole_seconds": round(whole["seconds"], 3) if whole else None,
        "megabytes": round(path.stat().st_size / 1e6, 1),
    }


def _problem(path: Path) -> str:
    journal = open_journal(path, read_only=True)
    try:
        return StateRecoveryService(journal).check()
    finally:
        journal.close()


def _started(path: Path) -> dict[str, float]:
    command, began = [sys.executable, "-c", _START, str(path), SESSION], time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    started: dict[str, float] = json.loads(done.stdout)
    return started | {"seconds": time.perf_counter() - began}


def _write(path: Path, size: int) -> None:
    """Write facts as a session does, with its last snapshot as far from the end as it may be."""
    journal = open_journal(path)
    service = StateRecoveryService(journal)
    recovered = service.recover()
    figures = Figures(SESSION)
    figures.recall(journal, recovered, is_resumed=False)
    state = recovered.engine.state
    snapshot_at = max(size - SNAPSHOT_FACTS, size // 2)
    for facts in _batches(size):
        journal.append(facts)
        figures.hear(facts)
        for fact in facts:
            state.apply(fact)
        if journal.sequence == snapshot_at:
            service.save(state, figures.rest(snapshot_at))
    journal.close()


def _batches(size: int) -> Iterator[list[ev.Event]]:
    facts = _facts(size)
    while batch := list(itertools.islice(facts, BATCH)):
        yield batch


def _facts(size: int) -> Iterator[ev.Event]:
    """Yield a session's beginning and orders that are submitted, accepted and filled."""
    yield ev.EpochStarted(
        ts=BEGAN,
        epoch=1,
        session_id=SESSION,
        portfolio_id="p",
        accounts=(ACCOUNT,),
        strategies=(),
        symbols=(BTC,),
        venue="paper",
        is_resumed=False,
    )
    for number in range(size - 1):
        yield _fact(number // 3, number % 3)


def _fact(order: int, step: int) -> ev.Event:
    ts = BEGAN + (order * 3 + step + 1) * 10**8
    name = ClOrdId(f"hf.1.{order:x}.{order:x}.E.bench")
    side = Side.SELL if order % 2 else Side.BUY
    if step == 0:
        return ev.OrderSubmitted(
            ts=ts,
            order=NewOrder(cl_ord_id=name, symbol=BTC, side=side, qty=QTY, strategy_id=BENCH),
            verdicts=(),
            recv_window_ns=5 * 10**9,
        )
    if step == 1:
        return ev.OrderAccepted(ts=ts, cl_ord_id=name, venue_order_id=str(order))
    return ev.OrderFilled(
        ts=ts,
        symbol=BTC,
        side=side,
        cl_ord_id=name,
        trade_id=TradeId(str(order)),
        qty=QTY,
        price=Decimal("64123.4") + order % 100,
        fee=Decimal("0.0384"),
        realized_pnl=Decimal(order % 7 - 3) if order % 2 else Decimal(0),
        venue_ts=ts,
    )


def _print(figures: dict[int, dict[str, float | None]]) -> None:
    table = Table("facts", title="from nothing to an engine and its statistics, in a new process")
    for heading in ("restart s", "CPU s", "of them folded", "floor: no snapshot s", "MB"):
        table.add_column(heading, justify="right")
    for size, found in figures.items():
        whole = found["whole_seconds"]
        cells = [
            f"{found['seconds']}",
            f"{found['cpu_seconds']}",
            f"{found['folded']:,}",
            "" if whole is None else f"{whole}",
        ]
        table.add_row(f"{size:,}", *cells, f"{found['megabytes']}")
    rich.print(table)
