"""A real session in a real process, killed with SIGKILL again and again.

The venue keeps its own books, as a real one would; what they say is the truth that the journal is
held against. Both are read afresh, and the journal is folded by code that is not the engine's.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.feeds import FeedSettings, SyntheticFeed
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
HOURS = 6

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
    words = [sys.executable, "-m", "holdfast", "run", "--json", "--no-report"]
    words += ["--feed", str(recording), "--speed", "max", "--data-dir", str(data_dir)]
    words += ["--symbols", ",".join(SYMBOLS)]
    return words + [word for name in strategies for word in ("--strategy", name)]


def facts_of(data_dir: Path) -> list[ev.Event]:
    journal = open_journal(f"sqlite:///{data_dir}/holdfast.db", read_only=True)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def live_and_die(words: list[str], data_dir: Path, chance: random.Random) -> str | None:
    """Run one life; kill it once it has recorded a random number of bytes more.

    Returns:
        None when it was killed, its last words when it ended before that.
    """
    wal = data_dir / "holdfast.db-wal"
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    before = wal.stat().st_size if wal.exists() else 0
    more = chance.randrange(1, 400_000)
    fresh = time.monotonic() + chance.uniform(0.0, 0.3)
    while process.poll() is None:
        size = wal.stat().st_size if wal.exists() else 0
        before = min(before, size)  # a checkpoint begins the file anew
        if size - before >= more and time.monotonic() > fresh:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return None
        time.sleep(0.002)
    output, errors = process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]
    return output.decode()


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory):
    """Run one session to its end through `KILLS` kills; return its folder and last words."""
    root = tmp_path_factory.mktemp("kill")
    words = command(write_recording(root / "recording"), root / "data")
    (root / "data").mkdir()
    chance = random.Random(2026)
    for _ in range(KILLS):
        assert live_and_die(words, root / "data", chance) is None, "it ended before its last kill"
    last = subprocess.run(words, capture_output=True, check=False)
    assert last.returncode == 0, last.stderr.decode()[-2000:]
    return root / "data", json.loads(last.stdout)


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
