"""What is taken over that the first look at an account did not show yet: money."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import MAIN, NS_PER_S, TradingSessionStatus
from tests.engine.rig import BTC, ETH, Rig


def funding(venue_ts, amount, symbol=BTC):
    return msg.FundingPayment(
        symbol=symbol, amount=Decimal(amount), payment_id=f"{symbol}-{amount}", venue_ts=venue_ts
    )


def look(rig, balance, changes, ago=0.5):
    rig.now += 3 * NS_PER_S
    asked = rig.now - int(ago * NS_PER_S)
    rig.snapshot(
        balance=balance, positions={}, asked_ts=asked, taken_ts=rig.now,
        sure_ts=asked - NS_PER_S // 20, changes=tuple(changes),
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
