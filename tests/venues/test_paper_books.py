"""What the paper exchange has done, it has done: nothing is heard that is not yet kept."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.exchange import Row
from holdfast.exchange.rows import TRADE
from holdfast.model.errors import ConfigError, VenueError
from holdfast.model.market import Funding
from holdfast.model.messages import ExecType
from holdfast.model.values import MAIN, OrderType, Side
from holdfast.venues import PaperVenue
from holdfast.venues.paper_books import open_books
from tests.exchange.shelf import contents
from tests.venues.paper_desk import BTC, PaperDesk, paper_venue

ROOT = Path(__file__).resolve().parents[2]


def copied(path: Path, to: Path) -> Path:
    """Copy the books as the disk holds them now, as after a kill."""
    to.mkdir(parents=True)
    for each in path.parent.glob(path.name + "*"):
        shutil.copy(each, to / each.name)
    return to / path.name


def session(desk):
    """Do a bit of everything."""
    desk.trade(50_000)
    desk.submit("a")
    desk.submit("b", price="49000", qty="0.5")
    desk.submit("c", Side.SELL, kind=OrderType.STOP_MARKET, trigger_price=Decimal(48_000))
    desk.submit("t", Side.SELL, kind=OrderType.TRAILING_STOP_MARKET, callback_rate=Decimal(1))
    desk.trade(50_400)
    desk.trade(48_990, "0.2")
    desk.replace("b", "0.4", "48000")
    desk.venue.on_market(Funding(symbol=BTC, ts=desk.now, rate=0.0001))
    desk.submit("x", price="1000000")
    desk.trade(47_000, "0.1")
    desk.cancel("b")
    desk.submit("b", price="40000")
    desk.trade(20_000)


def test_reopened_books_are_the_same(tmp_path):
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    session(desk)
    before, snapshot = contents(desk.venue.exchange), desk.snapshot()
    desk.close()

    again = PaperDesk(path)

    assert contents(again.venue.exchange) == before
    found = again.snapshot()
    assert (found.trades, found.changes) == (snapshot.trades, snapshot.changes)


def test_a_kill_after_any_commit_loses_nothing(tmp_path, monkeypatch):
    copies: list = []
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    books = desk.venue._books
    commit = books.commit

    def commit_and_copy(rows):
        commit(rows)
        copies.append((copied(path, tmp_path / f"copy{len(copies)}"), frozen(desk.venue.exchange)))

    monkeypatch.setattr(books, "commit", commit_and_copy)
    session(desk)

    assert len(copies) >= 10
    for place, expected in copies:
        assert contents(paper_venue(path=place).exchange) == expected


def frozen(exchange):
    """Lay the contents open so that later changes can't reach into them."""
    return copy.deepcopy(contents(exchange))


def test_whatever_is_heard_is_already_on_the_disk(tmp_path):
    checked: list = []
    path = tmp_path / "paper.db"

    def look(message):
        if getattr(message, "exec_type", None) is ExecType.TRADE:
            db = sqlite3.connect(copied(path, tmp_path / f"copy{len(checked)}"))
            rows = db.execute("SELECT payload FROM appended WHERE kind = 'trade'").fetchall()
            db.close()
            trade_id = f'"trade_id":"{message.trade_id}"'.encode()
            checked.append(any(trade_id in row[0] for row in rows))

    session(PaperDesk(path, on_hear=look))

    assert len(checked) >= 4
    assert all(checked)


def test_funding_is_not_paid_again_after_a_restart(tmp_path):
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    desk.trade(50_000)
    desk.submit("a")
    funding = Funding(symbol=BTC, ts=desk.now, rate=0.0001)
    desk.venue.on_market(funding)
    assert len(desk.news()) == 1
    desk.close()

    again = PaperDesk(path)
    again.now = desk.now
    again.trade(50_000)
    again.venue.on_market(funding)

    assert again.news() == []


def test_an_order_that_rested_fills_after_a_restart(tmp_path):
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    desk.trade(50_000)
    desk.submit("a", price="49000")
    desk.close()

    again = PaperDesk(path)
    again.now = desk.now

    assert [r.cl_ord_id for r in again.trade(48_000)] == ["a"]


def test_ids_go_on_after_a_restart(tmp_path):
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    desk.trade(50_000)
    first = desk.submit("a")[-1]
    desk.close()
    again = PaperDesk(path)
    again.now = desk.now
    again.trade(50_000)

    second = again.submit("b")[-1]

    assert int(second.trade_id) == int(first.trade_id) + 1
    assert int(second.venue_order_id) > int(first.venue_order_id)


def test_the_first_balance_is_put_in_once(tmp_path):
    path = tmp_path / "paper.db"
    PaperDesk(path).close()

    assert PaperDesk(path).snapshot().balances == {"USDT": Decimal(10_000)}


def test_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.venues.paper_books.LOCK_WAIT_S", 0.01)
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)

    with pytest.raises(ConfigError, match=r"paper\.db.*another process holds"):
        PaperVenue(path=path)
    desk.close()
    paper_venue(path=path)


@pytest.mark.parametrize("place", ["missing/paper.db", "."])
def test_a_place_that_cannot_be_is_named(tmp_path, place):
    with pytest.raises(ConfigError, match="paper books"):
        PaperVenue(path=tmp_path / place)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "paper.db"
    path.write_bytes(b"this is a letter" * 100)

    with pytest.raises(ConfigError, match=r"paper\.db can't be used"):
        PaperVenue(path=path)


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "paper.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(ConfigError, match="version 99"):
        PaperVenue(path=path)


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "paper.db"
    PaperDesk(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE kept SET payload = x'7b' WHERE kind = 'account'")
    db.commit()
    db.close()

    with pytest.raises(ConfigError, match="row account 'main'"):
        PaperVenue(path=path)


def test_a_full_disk_stops_the_exchange_and_nothing_untold_is_heard(tmp_path):
    path = tmp_path / "paper.db"
    desk = PaperDesk(path)
    desk.trade(50_000)
    desk.venue._books._db.execute("PRAGMA max_page_count = 1")

    with pytest.raises(VenueError, match=r"paper\.db.*full"):
        fill_up(desk)
    desk.news()
    with pytest.raises(VenueError, match="full"):
        desk.query("o0")
    with pytest.raises(VenueError, match="full"):
        desk.tick()
    assert desk.heard == []


def fill_up(desk):
    for number in range(500):
        desk.submit(f"o{number}", price="49000", qty="0.01")


_VICTIM = """
import sys
sys.path[:0] = [{root!r}, {src!r}]
from tests.venues.paper_desk import PaperDesk
desk = PaperDesk({path!r}, on_hear=lambda m: print(m.cl_ord_id, m.exec_type.value, flush=True))
number = 0
while True:
    desk.trade(50_000)
    desk.submit(f"o{{number}}", qty="0.002", reduce_only=False)
    desk.submit(f"r{{number}}", price="49000", qty="0.004")
    desk.cancel(f"r{{number}}")
    number += 1
"""


@pytest.mark.e2e
def test_a_killed_process_has_kept_what_it_told(tmp_path):
    path = tmp_path / "paper.db"
    script = _VICTIM.format(root=str(ROOT), src=str(ROOT / "src"), path=str(path))
    victim = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    told = [victim.stdout.readline().split() for _ in range(200)]
    os.kill(victim.pid, signal.SIGKILL)
    told += [line.split() for line in victim.stdout.read().splitlines() if line.count(" ") == 1]
    victim.stdout.close()
    victim.wait()

    desk = PaperDesk(path)
    trades = {trade.cl_ord_id for trade in desk.snapshot().trades}
    canceled = {each for each, kind in told if kind == "CANCELED"}

    assert {each for each, kind in told if kind == "TRADE"} <= trades
    assert all(desk.query(each).status.value == "CANCELED" for each in canceled)
    held = sum((t.last_qty for t in desk.snapshot().trades), Decimal(0))
    assert [p.qty for p in desk.venue.exchange.positions(MAIN)] == [held]


def test_books_in_memory_give_back_what_was_appended_since_a_time():
    memory = open_books(None)
    rows = [Row(TRADE, "main", b"%d" % ts, ts) for ts in (1, 5, 5, 3, 9)]
    memory.commit([*rows, Row(TRADE, "other", b"x", 9), Row("order", "7", b"y")])

    assert memory.since(TRADE, "main", 4) == [b"5", b"5", b"9"]
    assert memory.since(TRADE, "main", 0) == [b"1", b"5", b"5", b"3", b"9"]
    assert memory.since(TRADE, "nobody", 0) == []
    assert list(memory.rows()) == []
