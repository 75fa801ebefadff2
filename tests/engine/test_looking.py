"""What a look at the books proves that compared nothing: no start, and no link that is whole."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.looking import UNCOMPARED_MAX, UNCOMPARED_NS
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    NS_PER_S,
    ClOrdId,
    OrderStatus,
    Side,
    TradeId,
    TradingSessionStatus,
)
from tests.engine.rig import BTC, ETH, Rig

STARTING, RUNNING = TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING


def stranger(number, venue_ts):
    """A small trade by hand, in another symbol."""
    return msg.ExecutionReport(
        symbol=ETH, cl_ord_id=ClOrdId("manual"), exec_type=ExecType.TRADE,
        status=OrderStatus.PARTIALLY_FILLED, side=Side.BUY, trade_id=TradeId(f"e{number}"),
        venue_ts=venue_ts, qty=Decimal(1000), last_qty=Decimal("0.001"), last_px=Decimal(100),
        fee=Decimal(0), realized_pnl=Decimal(0),
    )  # fmt: skip


def look(rig, kind, number=0, *, seconds=1, **books):
    """One that takes some seconds; "moved": a trade falls into it; "partial": lists are behind."""
    asked = rig.now
    rig.now += seconds * NS_PER_S
    for symbol in rig.symbols:
        rig.price(100.0, symbol)
    trades = (stranger(number, asked + NS_PER_S // 2),) if kind == "moved" else ()
    rig.snapshot(
        asked_ts=asked, sure_ts=asked, taken_ts=rig.now, trades=trades,
        trades_since=asked - 120 * NS_PER_S, is_partial=kind == "partial", **books,
    )  # fmt: skip


def resumed(**settings):
    """A start behind a crash, with one BTC on the books."""
    rig = Rig(**settings)
    rig.hold("1", stop_loss="90")
    rig.now += 60 * NS_PER_S
    rig.restart()
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    return rig


def linked_again():
    rig = Rig()
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.now += 60 * NS_PER_S
    rig.hear(msg.VenueLink(is_up=False, reason="stream lost"))
    rig.now += 5 * NS_PER_S
    rig.hear(msg.VenueLink(is_up=True))
    return rig


@pytest.mark.parametrize("kind", ["moved", "partial"])
def test_a_start_waits_for_books_that_were_compared(kind):
    rig = resumed()
    look(rig, kind, positions={BTC: -40})
    assert rig.session() is STARTING
    rig.signal()
    assert rig.submitted() == []

    rig.now += NS_PER_S
    look(rig, "still", positions={BTC: 1, ETH: rig.qty(ETH)})
    assert rig.session() is RUNNING


def test_a_start_compares_what_a_trade_kept_from_being_compared():
    rig = resumed()
    look(rig, "moved", positions={BTC: -40})
    for _ in range(2):
        rig.now += NS_PER_S
        look(rig, "still", positions={BTC: -40, ETH: rig.qty(ETH)})

    assert rig.session() is TradingSessionStatus.ERROR
    assert rig.ever(ev.BooksDiffered)[-1].what == f"position {BTC}"


def test_an_account_that_never_rests_starts_in_the_end():
    rig = resumed()
    for number in range(UNCOMPARED_MAX):
        look(rig, "moved", number)
        assert rig.session() is STARTING
        rig.now += NS_PER_S
    look(rig, "moved", UNCOMPARED_MAX)

    assert rig.session() is RUNNING


def test_looks_that_take_long_hold_a_start_up_for_no_longer_than_a_minute():
    rig = resumed()
    begun, number = rig.now, 0
    while rig.session() is STARTING:
        number += 1
        look(rig, "moved", number, seconds=14)
        rig.now += NS_PER_S

    assert UNCOMPARED_NS < rig.now - begun <= UNCOMPARED_NS + 2 * 15 * NS_PER_S


def test_a_venue_of_one_moment_is_compared_though_its_clock_began_anew():
    """It is played from recordings: what was traded in the life before is later than its time."""
    rig = Rig()
    rig.now += 60 * NS_PER_S
    traded = stranger(1, rig.now + NS_PER_S)
    rig.hear(traded)
    rig.restart()
    rig.snapshot(asked_ts=rig.now, trades=(traded,))

    assert rig.session() is RUNNING


def test_a_venue_of_one_moment_is_not_compared_where_it_lists_what_nobody_booked():
    rig = Rig()
    rig.now += 60 * NS_PER_S
    rig.restart()
    rig.snapshot(asked_ts=rig.now, trades=(stranger(1, rig.now + NS_PER_S),))

    assert rig.session() is STARTING


def test_each_start_counts_the_looks_anew():
    rig = resumed()
    for number in range(UNCOMPARED_MAX + 5):
        look(rig, "moved", number)
    rig.begin(is_resumed=True)
    look(rig, "moved", 100)

    assert rig.session() is STARTING


@pytest.mark.parametrize("kind", ["moved", "partial"])
def test_a_lost_link_counts_until_the_books_were_compared(kind):
    rig = linked_again()
    look(rig, kind, positions={BTC: -40})
    assert rig.resyncs()
    rig.place()
    assert [fact.rule for fact in rig.told(ev.OrderDenied)] == ["link"]

    rig.now += NS_PER_S
    look(rig, "still")
    assert not rig.resyncs()
    assert rig.place()


def test_an_account_that_never_rests_is_in_touch_again_in_the_end():
    rig = linked_again()
    for number in range(UNCOMPARED_MAX + 1):
        assert rig.engine.core.market.accounts_cut_off
        look(rig, "moved", number)

    assert not rig.engine.core.market.accounts_cut_off


def test_looks_before_a_lost_link_prove_nothing_of_it():
    rig = Rig()
    for number in range(UNCOMPARED_MAX + 5):
        look(rig, "moved", number)
    rig.hear(msg.VenueLink(is_up=False, reason="stream lost"))
    rig.hear(msg.VenueLink(is_up=True))
    look(rig, "moved", 100)

    assert rig.engine.core.market.accounts_cut_off
