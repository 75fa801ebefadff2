"""A real session in a real process, killed with SIGKILL again and again.

The venue keeps its own books, as a real one would; what they say is the truth that the journal is
held against. Both are read afresh, and the journal is folded by code that is not the engine's.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.feeds import FeedSettings, SyntheticFeed
from holdfast.harness.launcher import Launcher, Process
from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.model.market import Trade
from holdfast.model.messages import ExecutionReport
from holdfast.model.values import MAIN, ZERO, OrderRole, Symbol
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.stats import fold_books, repeated_ids
from holdfast.venues import PaperVenue

KILLS = 50
SYMBOLS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT"))
START = 1_750_000_000 * 10**9
HOURS = 5
BYTES_MAX = 60_000
"""What one life records at most, in the journal's first stage, until it is killed."""

Start = Callable[[str], Awaitable[Process]]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def write_recording(folder: Path) -> Path:
    """Write a few hours of trades of three symbols in the public archive's format."""
    folder.mkdir()
    feed = SyntheticFeed(
        FeedSettings(
            symbols=SYMBOLS, seed=7, speed=0, start_ts=START, duration_s=HOURS * 3600, rate=1.0
        )
    )
    files = {s: (folder / f"{s}-trades-2025-06-15.csv").open("w") for s in SYMBOLS}
    for message in (m for chunk in feed.read() for m in chunk):
        if isinstance(message, Trade):
            row = (message.trade_id, message.price, message.qty, message.price * message.qty)
            maker = str(message.is_buyer_maker).lower()
            print(*row, message.ts // 10**6, maker, sep=",", file=files[message.symbol])
    for file in files.values():
        file.close()
    return folder


def command(recording: Path, data_dir: Path) -> list[str]:
    strategies = ["sma_cross:fast=3,slow=8,timeframe=5s", "rsi:period=5,timeframe=10s"]
    words = ["run", "--json", "--no-report"]
    words += ["--feed", str(recording), "--speed", "max", "--data-dir", str(data_dir)]
    words += ["--symbols", ",".join(SYMBOLS)]
    return words + [word for name in strategies for word in ("--strategy", name)]


def facts_of(data_dir: Path) -> list[ev.Event]:
    journal = open_journal(f"sqlite:///{data_dir}/holdfast.db", read_only=True)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def written(data_dir: Path) -> int:
    """Return how much lies in the journal's first stage, where facts are committed."""
    size = 0
    for path in data_dir.glob("holdfast.db.stage-*"):
        with contextlib.suppress(FileNotFoundError):  # moved on meanwhile
            size += path.stat().st_size
    return size


async def live_and_die(start: Start, data_dir: Path, chance: random.Random) -> bool:
    """Run one life; kill it once it has recorded a random number of bytes more.

    Returns:
        False when it ended before that.
    """
    process = await start("killed")
    before = written(data_dir)
    more = chance.randrange(1, BYTES_MAX)
    fresh = time.monotonic() + chance.uniform(0.0, 0.3)
    while process.is_alive:
        size = written(data_dir)
        before = min(before, size)  # a file whose facts have been moved is gone
        if size - before >= more and time.monotonic() > fresh:
            return await process.kill()
        await asyncio.sleep(0.002)
    assert process.code == 0, process.last_words()
    return False


async def run_through_kills(root: Path) -> dict[str, Any]:
    """Run one session to its end through `KILLS` kills; return its last words.

    Each life is a process of its own, forked from an interpreter that has the imports done.
    """
    words = command(write_recording(root / "recording"), root / "data")
    (root / "data").mkdir()
    chance = random.Random(2026)
    launcher = Launcher(root, None)
    await launcher.open()

    async def start(name: str) -> Process:
        return await launcher.start(name, words, root, {})

    try:
        for _ in range(KILLS):
            assert await live_and_die(start, root / "data", chance), "ended before its last kill"
        last = await start("last")
        await last.ended.wait()
    finally:
        await launcher.close()
    assert last.code == 0, last.last_words()
    report: dict[str, Any] = json.loads(last.out.read_text())
    return report


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory):
    """The folder of one session that was killed `KILLS` times, and its last words.

    It takes a minute: processes of tests that share this module's tests share it, and each has a
    copy of the folder.
    """
    root, base = tmp_path_factory.mktemp("kill"), tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    told = shared / "killed_run.json"
    with (shared / "killed_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            report = asyncio.run(run_through_kills(root))
            told.write_text(json.dumps({"folder": str(root / "data"), "report": report}))
    found = json.loads(told.read_text())
    shutil.copytree(found["folder"], root / "copy")
    return root / "copy", found["report"]


@pytest.fixture
def venue(killed_run):
    venue = PaperVenue(path=killed_run[0] / "paper.db")
    yield venue
    asyncio.run(venue.close())


def test_fifty_kills_leave_books_that_agree(killed_run):
    data_dir, report = killed_run
    epochs = [f.epoch for f in facts_of(data_dir) if isinstance(f, ev.EpochStarted)]

    assert epochs == sorted(set(epochs))
    assert report["status"] == "STOPPED"
    assert report["fills"] > 50
    assert report["books"] == {"positions_diff": "0", "balance_diff": "0"}


def test_no_fill_is_lost_or_doubled(killed_run, venue):
    data_dir, _ = killed_run
    facts = facts_of(data_dir)
    booked = [f.trade_id for f in facts if isinstance(f, ev.OrderFilled)]

    theirs = [trade.trade_id for trade in venue_trades(venue)]

    assert len(set(booked)) == len(booked)
    assert sorted(booked) == sorted(theirs)
    assert not repeated_ids(facts)


def test_an_independent_fold_gives_the_venues_positions_and_balance(killed_run, venue):
    data_dir, _ = killed_run
    books = fold_books(facts_of(data_dir))

    theirs = {p.symbol: p.qty for p in venue.exchange.positions(MAIN) if p.qty}

    assert {key[1]: qty for key, qty in books.positions.items() if qty} == theirs
    assert books.balance(MAIN, "USDT") == venue.exchange.balances(MAIN)["USDT"]


def test_no_intent_was_sent_twice(killed_run):
    data_dir, _ = killed_run
    submitted = [f.order for f in facts_of(data_dir) if isinstance(f, ev.OrderSubmitted)]
    entries = Counter(o.parent_id for o in submitted if o.role is OrderRole.ENTRY)

    assert len({o.cl_ord_id for o in submitted}) == len(submitted)
    assert not {parent for parent, count in entries.items() if count > 1}


def test_every_position_that_asked_for_a_stop_has_it_at_the_venue(killed_run, venue):
    data_dir, _ = killed_run
    journal = open_journal(f"sqlite:///{data_dir}/holdfast.db", read_only=True)
    state = StateRecoveryService(journal).recover().engine.state
    journal.close()
    resting: dict[str, Decimal] = defaultdict(Decimal)
    for order in venue.exchange.open_orders(MAIN):
        if order.asked.role is OrderRole.STOP_LOSS:
            resting[order.asked.parent_id] += order.leaves_qty

    for ids in state.live_parents.values():
        for parent in (state.parents[i] for i in ids):
            if parent.start.stop_loss is not None:
                assert resting[parent.parent_id] == parent.open_qty


def test_the_fold_of_snapshot_and_tail_is_the_fold_of_all_facts(killed_run):
    data_dir, _ = killed_run
    journal = open_journal(f"sqlite:///{data_dir}/holdfast.db", read_only=True)
    recovered = StateRecoveryService(journal).recover().engine.state
    journal.close()
    from holdfast.engine.state import State

    state = State()
    for fact in facts_of(data_dir):
        state.apply(fact)

    assert recovered == state


def venue_trades(venue: PaperVenue) -> list[ExecutionReport]:
    from holdfast.model.commands import Resync
    from holdfast.model.messages import VenueSnapshot

    heard: list[object] = []
    venue._hear = heard.append  # the books are read without a session
    venue.resync(Resync(account=MAIN, reason="test", trades_since=0))
    [snapshot] = [m for m in heard if isinstance(m, VenueSnapshot)]
    assert snapshot.balances["USDT"] != ZERO
    return list(snapshot.trades)
