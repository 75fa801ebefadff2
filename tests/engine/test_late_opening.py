"""What is taken over that the first look at an account did not show yet, or had already."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine.beginning import LOOKS_MAX
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ClOrdId,
    OrderStatus,
    Side,
    TradeId,
    TradingSessionStatus,
)
from tests.engine.rig import BTC, ETH, Rig, contract


def funding(venue_ts, amount, symbol=BTC):
    return msg.FundingPayment(
        symbol=symbol, amount=Decimal(amount), payment_id=f"{symbol}-{amount}", venue_ts=venue_ts
    )


def look(rig, balance, changes, ago=0.5, qty="0", **more):
    rig.now += 3 * NS_PER_S
    asked = rig.now - int(ago * NS_PER_S)
    rig.snapshot(
        balance=balance, positions={BTC: qty}, asked_ts=asked, taken_ts=rig.now,
        sure_ts=asked - NS_PER_S // 20, changes=tuple(changes), **more,
    )  # fmt: skip


def execution(rig, qty, trade_id, *, ago=0.0):
    """One by hand, so long ago."""
    return msg.ExecutionReport(
        symbol=BTC, cl_ord_id=ClOrdId("manual"), exec_type=ExecType.TRADE,
        status=OrderStatus.PARTIALLY_FILLED, side=Side.BUY, trade_id=TradeId(trade_id),
        venue_ts=rig.now - int(ago * NS_PER_S), qty=Decimal(3), cum_qty=Decimal(qty),
        last_qty=Decimal(qty), last_px=Decimal(100), fee=Decimal("0.1"),
    )  # fmt: skip


def begun(ago):
    """Begin with a balance of 500; return a time of the venue's so long before."""
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.begin()
    rig.price(100.0)
    look(rig, "500", ())
    assert rig.session() is TradingSessionStatus.RUNNING
    return rig, rig.state.account(MAIN).opened_ts - int(ago * NS_PER_S)


@pytest.mark.parametrize("ago", [0.2, 2.5, 12.0, 50.0])
@pytest.mark.parametrize("told", [("-1",), ("-1", "-2")])
def test_funding_dated_before_the_books_and_paid_behind_their_first_look_is_taken_over(ago, told):
    rig, hour = begun(ago)
    paid = [funding(hour, each, symbol) for each, symbol in zip(told, (BTC, ETH), strict=False)]
    balance = Decimal(500) + sum(map(Decimal, told))
    for _ in range(3):
        look(rig, balance, paid)

    found = (rig.session(), rig.alarms(), rig.state.account(MAIN).wallet("USDT"))
    assert found == (TradingSessionStatus.RUNNING, [], balance)
    assert (rig.ever(ev.FundingPaid), rig.state.differences) == ([], {})


def test_money_moved_out_just_before_the_first_look_is_no_loss_of_the_day():
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    rig.price(100.0)
    look(rig, "10000", ())
    moved_ts = rig.state.account(MAIN).opened_ts - NS_PER_S // 3
    moved = msg.WalletChange(
        asset="USDT", amount=Decimal(-5000), reason="TRANSFER", change_id="T1", venue_ts=moved_ts
    )
    for _ in range(3):
        look(rig, "5000", [moved])
    rig.price(100.0)

    known = rig.state.account(MAIN).benchmark("USDT")
    assert (known.day_equity, known.peak_equity) == (5000, 5000)
    assert rig.place()


@pytest.mark.parametrize(("ago", "balance"), [(12.0, "498"), (90.0, "499")])
def test_a_difference_that_no_late_funding_explains_halts(ago, balance):
    rig, hour = begun(ago)
    for _ in range(3):
        look(rig, balance, [funding(hour, "-1")])

    assert rig.session() is TradingSessionStatus.ERROR


def test_a_transfer_that_the_first_look_trailed_is_taken_over():
    rig, ts = begun(0.3)
    moved = msg.WalletChange(
        asset="USDT", amount=Decimal(40), reason="TRANSFER", change_id="T1", venue_ts=ts
    )
    for _ in range(3):
        look(rig, "540", [moved])

    assert (rig.session(), rig.alarms()) == (TradingSessionStatus.RUNNING, [])
    assert rig.state.account(MAIN).wallet("USDT") == 540


def behind(rig, seconds, amount):
    """Return a transfer that is dated so long behind the beginning of the books."""
    ts = rig.state.account(MAIN).opened_ts + int(seconds * NS_PER_S)
    return msg.WalletChange(
        asset="USDT", amount=Decimal(amount), reason="TRANSFER", change_id=amount, venue_ts=ts
    )


@pytest.mark.parametrize("later", [(), ("7",)])
def test_a_transfer_while_the_first_look_was_on_its_way_is_not_counted_twice(later):
    rig, _ = begun(0)
    moved = [behind(rig, 0.03, "40"), *(behind(rig, 0.3, each) for each in later)]
    balance = Decimal(500) + sum(map(Decimal, later))
    for _ in range(3):
        look(rig, balance, moved)

    assert (rig.session(), rig.alarms()) == (TradingSessionStatus.RUNNING, [])
    assert (rig.state.account(MAIN).wallet("USDT"), rig.state.differences) == (balance, {})


@pytest.mark.parametrize(
    ("seconds", "balance"),
    [(0.03, "501"), (2.0, "500")],
    ids=["another gap", "the look was over"],
)
def test_what_no_transfer_in_the_first_look_explains_halts(seconds, balance):
    rig, _ = begun(0)
    moved = behind(rig, seconds, "40")
    for _ in range(3):
        look(rig, balance, [moved])

    assert rig.session() is TradingSessionStatus.ERROR


@pytest.mark.parametrize("is_paid", [True, False])
def test_an_execution_while_the_first_look_was_on_its_way_is_not_counted_twice(is_paid):
    """The look showed the position already, and the balance of before it, or of behind it."""
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.begin()
    rig.price(100.0)
    look(rig, "500" if not is_paid else "499.9", (), qty="2")
    trade = execution(rig, "2", "t1", ago=0.3)
    for _ in range(3):
        look(rig, "499.9", (), qty="2", trades=(trade,))

    assert (rig.session(), rig.alarms()) == (TradingSessionStatus.RUNNING, [])
    assert (rig.qty(), rig.state.account(MAIN).wallet("USDT")) == (2, Decimal("499.9"))


def begun_with(position, *, skew_s=1):
    """Begin with a position and 500, in a look of half a second."""
    rig = Rig(start=False, clock_skew_ns=skew_s * NS_PER_S)
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    rig.price(100.0)
    look(rig, "500", (), qty=position)
    assert rig.session() is TradingSessionStatus.RUNNING
    return rig


@pytest.mark.parametrize(("skew_s", "is_ours"), [(1, True), (5, False)])
def test_a_clock_may_be_off_by_what_the_settings_say(skew_s, is_ours):
    """The venue's is three seconds ahead: it dates behind the look what that has shown."""
    rig = begun_with("2", skew_s=skew_s)
    trade = execution(rig, "2", "t1", ago=-3)
    for _ in range(6):
        look(rig, "499.9", (), qty="2", trades=(trade,))

    has_halted = rig.session() is TradingSessionStatus.ERROR
    assert has_halted is is_ours


def strangers(rig, since, seconds):
    """Who buys 1 every 0.7 s, from a time on and for so long: each execution."""
    return [
        msgspec.structs.replace(
            execution(rig, "1", f"s{number}"), venue_ts=since + int(number * 0.7 * NS_PER_S)
        )
        for number in range(int(seconds / 0.7))
    ]


@pytest.mark.parametrize("seconds", [30, 90, 170])
def test_what_the_first_look_showed_is_known_however_long_nothing_compared_behind_it(seconds):
    """Somebody trades in each look, first within that with which the books were begun."""
    rig = begun_with("1")
    bought = strangers(rig, rig.now - int(0.3 * NS_PER_S), seconds)
    for _ in range(seconds // 3 + 4):
        asked = rig.now + int(2.5 * NS_PER_S)
        told = [each for each in bought if each.venue_ts <= asked]
        later = [each for each in bought if each.venue_ts <= asked + NS_PER_S // 2]
        balance = Decimal(500) - Decimal("0.1") * len(told)
        look(rig, balance, (), qty=str(len(told)), trades=tuple(later))

    assert (rig.session(), rig.alarms()) == (TradingSessionStatus.RUNNING, [])
    assert (rig.qty(), rig.state.differences) == (len(bought), {})


def test_an_order_that_was_sent_behind_the_beginning_is_no_part_of_it():
    """The venue's clock is behind: what it fills at once is dated within the first look."""
    rig = begun_with("0")
    order = rig.place(qty="0.1")
    rig.trade(order, "0.1", fee=Decimal(0), venue_ts=rig.now - NS_PER_S // 5)
    for _ in range(3):
        look(rig, "500", (), qty="0")

    assert rig.session() is TradingSessionStatus.ERROR
    assert rig.qty() == Decimal("0.1")


def test_a_difference_behind_books_that_have_agreed_is_not_of_their_beginning():
    rig = begun_with("0")
    trade = execution(rig, "1", "t1", ago=0.3)
    for _ in range(25):  # on record is an agreement each minute
        look(rig, "499.9", (), qty="1", trades=(trade,))
    assert rig.session() is TradingSessionStatus.RUNNING
    for _ in range(2):
        look(rig, "499.9", (), qty="0", trades=(trade,))

    assert rig.session() is TradingSessionStatus.ERROR


@pytest.mark.parametrize("is_shown", [True, False])
def test_what_moves_in_the_look_with_which_books_are_begun_anyway_is_counted_once(is_shown):
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = 2 * NS_PER_S
    rig.begin()
    rig.price(100.0)
    for each in range(LOOKS_MAX):
        look(rig, "500", (), trades=(execution(rig, "0", f"t{each}"),))
    assert rig.session() is TradingSessionStatus.STARTING

    ts = rig.now + 5 * NS_PER_S
    moved = msg.WalletChange(
        asset="USDT", amount=Decimal(40), reason="TRANSFER", change_id="T1", venue_ts=ts
    )
    rig.now += 15 * NS_PER_S
    look(rig, "540" if is_shown else "500", [moved], ago=18)
    for _ in range(3):
        look(rig, "540", [moved])

    assert (rig.session(), rig.alarms()) == (TradingSessionStatus.RUNNING, [])
    assert rig.state.account(MAIN).wallet("USDT") == 540
