"""A mark far off its market, for a moment, sets neither the day's beginning nor the peak."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.far_marks import DOUBTED_NS
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.market import MarkPrice
from holdfast.model.values import MAIN, NS_PER_DAY, NS_PER_S, Side, TradingSessionStatus
from tests.engine.rig import BTC, ETH, Rig, contract
from tests.engine.test_accounts import OTHER, TwoAccounts


def mark(rig, price):
    rig.hear(MarkPrice(symbol=BTC, ts=rig.now, mark_price=price, index_price=price))


def holding(side=Side.BUY, **limits):
    """Hold half of what the account has, at 100."""
    most = {"position_size_pct": Decimal(2), "max_gross_exposure_pct": Decimal(2)}
    rig = Rig(limits=most | limits)
    rig.hold("50", side)
    mark(rig, 100.0)
    return rig


def second(rig, *, at, marked=None):
    """Let a second pass, with prices in it."""
    rig.now += NS_PER_S
    rig.price(at)
    rig.price(100.0, ETH)
    mark(rig, at if marked is None else marked)
    rig.tick()


def before_midnight(rig):
    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY - 2 * NS_PER_S
    second(rig, at=100.0)


def day_equity(rig):
    return rig.state.account(MAIN).benchmark("USDT").day_equity


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("marked", [90.0, 110.0])
def test_the_day_begins_without_a_mark_that_was_off_for_a_moment(side, marked):
    rig = holding(side)
    before_midnight(rig)
    second(rig, at=100.0, marked=marked)
    assert rig.told(ev.TradingDayStarted) == []
    second(rig, at=100.0)

    assert day_equity(rig) == Decimal("9999.99")


def test_the_day_begins_without_a_trade_that_was_off_for_a_moment():
    rig = holding()
    before_midnight(rig)
    second(rig, at=90.0, marked=100.0)
    second(rig, at=100.0)

    assert day_equity(rig) == Decimal("9999.99")


def test_the_day_begins_with_what_the_rules_go_by_where_a_mark_stays_off():
    rig = holding()
    before_midnight(rig)
    for _ in range(DOUBTED_NS // NS_PER_S):
        second(rig, at=100.0, marked=110.0)
        assert rig.told(ev.TradingDayStarted) == []
    second(rig, at=100.0, marked=110.0)

    [day] = rig.told(ev.TradingDayStarted)
    assert day.equity == Decimal("9999.99")


@pytest.mark.parametrize("seconds", [1, 20])
def test_a_mark_that_is_off_makes_no_peak(seconds):
    rig = holding(max_drawdown_pct=Decimal("0.05"))
    rig.now += 60 * NS_PER_S
    for _ in range(seconds):
        second(rig, at=100.0, marked=112.0)
    for _ in range(15):
        second(rig, at=100.0)

    assert rig.state.account(MAIN).benchmark("USDT").peak_equity < 10_001
    assert rig.place(symbol=ETH)


def test_a_sample_waits_for_a_mark_that_is_off_and_not_for_ever():
    rig = holding()
    rig.wait(65)
    due = rig.state.account(MAIN).sampled_ts + rig.settings.equity_interval_ns
    rig.now, first = due - NS_PER_S, len(rig.ever(ev.EquitySampled))
    for _ in range(DOUBTED_NS // NS_PER_S):
        second(rig, at=100.0, marked=112.0)
        assert len(rig.ever(ev.EquitySampled)) == first
    second(rig, at=100.0, marked=112.0)

    assert rig.ever(ev.EquitySampled)[first].equity == Decimal("9999.99")


def test_a_mark_too_old_to_value_a_position_is_no_doubt_about_it():
    rig = holding()
    second(rig, at=105.0, marked=110.0)
    for _ in range(70):
        rig.now += NS_PER_S
        rig.price(100.0)
        rig.price(100.0, ETH)

    assert rig.place(symbol=ETH), rig.told(ev.OrderDenied)


def books(rig, marked):
    """Hear what the venue has, with a mark in it."""
    held = msg.VenuePosition(symbol=BTC, qty=rig.qty(), entry_price=Decimal(100), mark_price=marked)
    rig.hear(
        msg.VenueSnapshot(
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=tuple(rig.row(o.cl_ord_id) for o in rig.state.all_open_orders()),
            positions=(held,),
            balances={"USDT": rig.state.account(MAIN).wallet("USDT")},
        )
    )


@pytest.mark.parametrize(("side", "marked"), [(Side.BUY, 112.0), (Side.SELL, 88.0)])
def test_a_mark_that_the_books_tell_is_believed_no_more_than_one_of_the_stream(side, marked):
    rig = holding(side)
    second(rig, at=100.0, marked=marked)
    rig.now += NS_PER_S // 5
    books(rig, marked + 0.5)

    context = rig.engine.core.risk_context()
    assert rig.engine.core.exposure.mark((MAIN, BTC)) == Decimal(repr(marked + 0.5))
    assert context.equity(MAIN, "USDT") == Decimal("9999.99")
    assert context.is_in_doubt(MAIN, "USDT")


def test_a_mark_that_the_books_tell_makes_no_peak():
    rig = holding(max_drawdown_pct=Decimal("0.05"))
    rig.wait(65)
    rig.now = rig.state.account(MAIN).sampled_ts + rig.settings.equity_interval_ns - NS_PER_S
    second(rig, at=100.0, marked=112.0)
    rig.now += NS_PER_S // 5
    books(rig, 112.5)
    rig.tick()
    for _ in range(15):
        second(rig, at=100.0)

    assert rig.state.account(MAIN).benchmark("USDT").peak_equity < 10_001
    assert rig.place(symbol=ETH), rig.told(ev.OrderDenied)


def test_a_sample_of_two_accounts_waits_for_a_mark_that_is_off_on_one():
    """The other is in no doubt; but what they have together is sampled at one instant."""
    most = {"position_size_pct": Decimal(2), "max_gross_exposure_pct": Decimal(2)}
    rig = TwoAccounts(limits=most)
    rig.hold("50")
    mark(rig, 100.0)
    rig.wait(65)
    due = rig.state.account(MAIN).sampled_ts + rig.settings.equity_interval_ns
    rig.now, before = due - NS_PER_S, len(rig.ever(ev.EquitySampled))
    for _ in range(DOUBTED_NS // NS_PER_S):
        second(rig, at=100.0, marked=90.0)
        assert len(rig.ever(ev.EquitySampled)) == before
    second(rig, at=100.0, marked=90.0)

    assert [fact.account for fact in rig.ever(ev.EquitySampled)[before:]] == [MAIN, OTHER]


def begun(marked):
    """A session that begins by day, with half of what the account has in a position, and a mark."""
    rig = Rig(start=False, limits={"max_gross_exposure_pct": Decimal(2)})
    rig.begin()
    for symbol in rig.symbols:
        rig.hear(msg.InstrumentListed(instrument=contract(symbol), leverage=10))
        rig.price(100.0, symbol)
    mark(rig, marked)
    rig.snapshot(balance="10000", positions={BTC: "50"})
    assert rig.session() is TradingSessionStatus.RUNNING
    return rig


EQUITIES = (ev.TradingDayStarted, ev.EquitySampled)


def equities(rig):
    return [(type(f), f.equity) for f in rig.facts if isinstance(f, EQUITIES)]


@pytest.mark.parametrize("marked", [60.0, 140.0])
def test_a_day_that_begins_with_the_session_waits_for_a_mark_that_is_off(marked):
    rig = begun(marked)
    second(rig, at=100.0, marked=marked)
    assert equities(rig) == []
    assert rig.place(symbol=ETH)
    second(rig, at=100.0)

    assert equities(rig) == [(kind, Decimal(10_000)) for kind in EQUITIES]


def test_a_day_that_begins_with_the_session_waits_no_longer_than_one_at_midnight():
    rig = begun(60.0)
    for _ in range(DOUBTED_NS // NS_PER_S - 1):
        second(rig, at=100.0, marked=60.0)
    assert equities(rig) == []
    second(rig, at=100.0, marked=60.0)

    assert equities(rig) == [(kind, Decimal(8_000)) for kind in EQUITIES]


def test_a_day_that_begins_with_a_restart_waits_for_a_mark_that_is_off():
    rig = holding()
    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY + 6 * 3600 * NS_PER_S
    rig.restart()
    rig.price(100.0)
    rig.price(100.0, ETH)
    mark(rig, 60.0)
    first = len(rig.facts)
    rig.snapshot()
    second(rig, at=100.0, marked=60.0)
    assert not any(isinstance(fact, EQUITIES) for fact in rig.facts[first:])
    second(rig, at=100.0)

    assert day_equity(rig) == Decimal("9999.99")
