"""The venue's filters, asked before the venue is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import AccountId, OrderType, Symbol
from tests.engine.rig import Rig, contract
from tests.engine.risk.desk import BTC


def test_unknown_contract_is_refused(desk):
    verdict = desk.check("filters", desk.buy(symbol=Symbol("DOGEUSDT")))
    assert not verdict.passed
    assert "DOGEUSDT" in verdict.reason
    assert not desk.check("filters", desk.buy(account=AccountId("other"))).passed


@pytest.mark.parametrize(
    ("qty", "passes"),
    [
        ("1", True),
        ("1.0005", False),  # off the lot
        ("0.2", True),  # the least
        ("0.199", False),
        ("500", True),  # the most at the market
        ("500.001", False),
    ],
)
def test_quantity_of_a_market_order_is_on_the_lot_and_within_its_bounds(desk, qty, passes):
    desk.define(BTC, min_qty=Decimal("0.2"), max_qty=Decimal(900), max_market_qty=Decimal(500))
    assert desk.check("filters", desk.buy(qty)).passed is passes


@pytest.mark.parametrize(("qty", "passes"), [("900", True), ("900.001", False)])
def test_limit_orders_have_the_larger_maximum(desk, qty, passes):
    desk.define(BTC, max_qty=Decimal(900), max_market_qty=Decimal(500))
    assert desk.check("filters", desk.buy(qty, "100")).passed is passes


def test_what_a_stop_is_to_close_is_no_more_than_an_order_at_the_market_may_be():
    rig = Rig(limits={"position_size_pct": Decimal(9), "max_order_notional": Decimal(10**6)})
    rig.hear(msg.InstrumentListed(instrument=contract(max_market_qty=Decimal(5)), leverage=10))
    limit = {"order_type": OrderType.LIMIT, "price": "99"}

    assert rig.place(qty="6", stop_loss="90", **limit) is None
    assert rig.told(ev.OrderDenied)[0].reason == "quantity 6 must be at most 5"
    assert rig.place(qty="5", stop_loss="90", **limit)
    assert rig.place(qty="6", **limit)


@pytest.mark.parametrize(("price", "passes"), [("99.9", True), ("99.95", False)])
def test_limit_price_is_on_the_tick(desk, price, passes):
    verdict = desk.check("filters", desk.buy("1", price))
    assert verdict.passed is passes
    if not passes:
        assert (verdict.value, verdict.limit) == (Decimal("99.95"), Decimal("0.1"))


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("95", ""),
        ("94.9", "price 94.9 must be at least 95"),
        ("104", ""),
        ("104.1", "price 104.1 must be at most 104"),
    ],
)
def test_prices_are_within_what_the_contract_takes(desk, price, reason):
    desk.define(BTC, min_price=Decimal(95), max_price=Decimal(104))
    stop = desk.buy(order_type=OrderType.STOP_MARKET, trigger_price=price)
    for order in (desk.buy("1", price), stop):
        verdict = desk.check("filters", order)
        assert (verdict.passed, verdict.reason) == (not reason, reason)


def test_trigger_and_activation_price_are_on_the_tick(desk):
    stop = desk.buy(order_type=OrderType.STOP_MARKET, trigger_price="100.05")
    trailing = desk.buy(
        order_type=OrderType.TRAILING_STOP_MARKET, activation_price=Decimal("100.05")
    )
    assert not desk.check("filters", stop).passed
    assert not desk.check("filters", trailing).passed


@pytest.mark.parametrize(("qty", "passes"), [("0.05", True), ("0.049", False)])
def test_notional_is_at_least_the_minimum(desk, qty, passes):
    verdict = desk.check("filters", desk.buy(qty))  # at 100, at least 5
    assert verdict.passed is passes
    assert desk.check("filters", desk.buy(qty, "100")).passed is passes


@pytest.mark.parametrize(
    ("side", "price", "passes"),
    [
        ("buy", "105", True),
        ("buy", "105.1", False),
        ("buy", "80", True),  # far below the mark a buy only waits
        ("sell", "95", True),
        ("sell", "94.9", False),
        ("sell", "120", True),
    ],
)
def test_price_is_within_the_band_of_the_mark(desk, side, price, passes):
    assert desk.check("filters", getattr(desk, side)("1", price)).passed is passes


def test_conditional_limit_price_is_held_against_its_trigger(desk):
    stop = desk.buy("1", "115", order_type=OrderType.STOP, trigger_price="110")
    assert desk.check("filters", stop).passed
    far = desk.buy("1", "115.6", order_type=OrderType.STOP, trigger_price="110")
    assert not desk.check("filters", far).passed


def test_market_order_without_any_price_is_refused(desk):
    desk.define(Symbol("NEWUSDT"))
    verdict = desk.check("filters", desk.buy(symbol=Symbol("NEWUSDT")))
    assert not verdict.passed
    assert "no price" in verdict.reason
