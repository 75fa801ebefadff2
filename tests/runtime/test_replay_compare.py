"""Trades of a session and of its replay are paired, and what is apart is measured."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model.errors import InputError
from holdfast.model.values import NS_PER_MS, NS_PER_S, ClOrdId, Side, Symbol, TradeId
from holdfast.runtime.replay_compare import compare, recorded

START = 1_700_000_000 * NS_PER_S
BTC = Symbol("BTCUSDT")


def trip(at_s, entry, exit_, side=Side.BUY, late_ms=0):
    """Return the two fills of one trade; the exit comes ten seconds behind the entry."""
    ts = START + at_s * NS_PER_S + late_ms * NS_PER_MS
    pnl = (Decimal(exit_) - Decimal(entry)) * side.sign
    return [
        fill(ts, side, entry, Decimal(0), "E"),
        fill(ts + 10 * NS_PER_S, side.opposite, exit_, pnl, "X"),
    ]


def fill(ts, side, price, pnl, role):
    return ev.OrderFilled(
        ts=ts,
        symbol=BTC,
        side=side,
        cl_ord_id=ClOrdId(f"hf.1.1.1.{role}.cross"),
        trade_id=TradeId(str(ts)),
        qty=Decimal(1),
        price=Decimal(price),
        fee=Decimal(0),
        realized_pnl=pnl,
        venue_ts=ts,
    )


def test_a_trade_in_both_shows_how_far_they_are_apart():
    drift = compare(trip(0, "100.10", "101", late_ms=250), trip(0, "100", "101.5"))

    (pair,) = drift.pairs
    assert pair.entry_ms == pair.exit_ms == 250
    assert pair.entry_bp == pytest.approx(10)  # bought dearer
    assert pair.exit_bp == pytest.approx(49.26, abs=0.01)  # sold cheaper
    assert pair.pnl == Decimal("-0.6")


def test_a_short_that_was_sold_dearer_is_better():
    drift = compare(trip(0, "101", "99", Side.SELL), trip(0, "100", "99", Side.SELL))

    assert drift.pairs[0].entry_bp == pytest.approx(-100)


def test_trades_that_only_one_made_stand_alone_and_count_in_the_sums():
    session = [*trip(0, "100", "101"), *trip(600, "100", "105")]
    replay = [*trip(0, "100", "101"), *trip(300, "100", "98")]

    found = compare(session, replay).summary()

    assert (found["trades_in_both"], found["only_in_session"], found["only_in_replay"]) == (1, 1, 1)
    assert (found["session_pnl"], found["replay_pnl"]) == (Decimal(6), Decimal(-1))
    assert found["pnl_drift"] == Decimal(7)


def test_trades_of_opposite_sides_are_never_the_same():
    drift = compare(trip(0, "100", "101"), trip(0, "100", "101", Side.SELL))

    assert len(drift.pairs) == 2
    assert drift.both() == []


def test_a_session_is_found_by_the_beginning_of_its_id():
    def begun(session_id, ts):
        return ev.EpochStarted(
            ts=ts,
            epoch=1,
            session_id=session_id,
            portfolio_id="p",
            accounts=(),
            strategies=(),
            symbols=(BTC,),
            venue="paper",
            is_resumed=False,
        )

    facts = [begun("aa-1", START), *trip(1, "100", "101"), begun("bb-2", START + 99)]

    assert recorded(facts, "aa").session_id == "aa-1"
    assert len(recorded(facts, "aa").facts) == 3
    assert recorded(facts, "last").session_id == "bb-2"
    with pytest.raises(InputError, match="it has aa-1, bb-2"):
        recorded(facts, "cc")
