"""From a wish to a quantity on the lot and prices on the tick."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.sizing import (
    PARTS_MAX,
    market_parts,
    misplaced_exit,
    size_of_equity,
    stop_price,
    target_price,
)
from holdfast.model.settings import EngineSettings
from holdfast.model.values import Side
from tests.engine.rig import contract

SETTINGS = EngineSettings(stop_loss_pct=Decimal("0.02"), take_profit_pct=Decimal("0.05"))
NEITHER = EngineSettings(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def size(equity="10000", price="100", strength=1.0, share="0.1"):
    return size_of_equity(Decimal(equity), Decimal(price), strength, contract(), Decimal(share))


def test_a_share_of_equity_is_bought_and_rounded_down_onto_the_lot():
    assert size() == 10
    assert size(price="7") == Decimal("142.857")


@pytest.mark.parametrize(
    ("qty", "most", "parts"),
    [
        ("0", "5", []),
        ("-1", "5", []),
        ("5", "5", [5]),
        ("5.001", "5", [5, Decimal("0.001")]),
        ("15", "5.0005", [5, 5, 5]),
        ("7", "0.0005", [7]),  # a largest order below the lot says nothing
        ("7", None, [7]),
        ("1000", "5", [5] * PARTS_MAX),
    ],
)
def test_what_closes_is_cut_into_orders_that_the_venue_takes(qty, most, parts):
    instrument = None if most is None else contract(max_market_qty=Decimal(most))

    assert market_parts(Decimal(qty), instrument) == parts


def test_strength_scales_the_size():
    assert size(strength=0.25) == Decimal("2.5")


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_there_is_nothing_to_buy(equity):
    assert size(equity=equity) == 0


@given(
    st.decimals(min_value=1, max_value=10**7, places=2),
    st.decimals(min_value="0.1", max_value=10**5, places=1),
    st.floats(min_value=0.01, max_value=1.0),
)
def test_no_size_is_worth_more_than_its_share(equity, price, strength):
    qty = size_of_equity(equity, price, strength, contract(), Decimal("0.1"))

    assert qty * price <= equity * Decimal("0.1")
    assert contract().is_on_lot(qty)


@pytest.mark.parametrize(
    ("side", "stop", "target"), [(Side.BUY, "98", "105"), (Side.SELL, "102", "95")]
)
def test_exits_that_nobody_named_lie_at_the_configured_distances(side, stop, target):
    entry = Decimal(100)

    assert stop_price(side, entry, None, contract(), SETTINGS) == Decimal(stop)
    assert target_price(side, entry, None, contract(), SETTINGS) == Decimal(target)


def test_an_asked_exit_is_taken_and_rounded_onto_the_tick():
    assert stop_price(Side.BUY, Decimal(100), Decimal("97.26"), contract(), NEITHER) == Decimal(
        "97.3"
    )
    assert target_price(Side.BUY, Decimal(100), Decimal(110), contract(), NEITHER) == 110


def test_zero_asks_for_none_and_so_does_a_distance_of_zero():
    entry = Decimal(100)

    assert stop_price(Side.BUY, entry, Decimal(0), contract(), SETTINGS) is None
    assert target_price(Side.SELL, entry, Decimal(0), contract(), SETTINGS) is None
    assert stop_price(Side.BUY, entry, None, contract(), NEITHER) is None
    assert target_price(Side.SELL, entry, None, contract(), NEITHER) is None


def test_an_exit_that_rounds_to_nothing_is_none():
    tiny = contract(tick=Decimal(10))

    assert stop_price(Side.BUY, Decimal(4), None, tiny, SETTINGS) is None


@pytest.mark.parametrize(
    ("side", "stop", "target", "fault"),
    [
        (Side.BUY, "99", "101", None),
        (Side.SELL, "101", "99", None),
        (Side.BUY, None, None, None),
        (Side.BUY, "100", None, "stop_loss 100 must be below the price 100"),
        (Side.SELL, "99", None, "stop_loss 99 must be above the price 100"),
        (Side.BUY, None, "99", "take_profit 99 must be above the price 100"),
        (Side.SELL, None, "100", "take_profit 100 must be below the price 100"),
    ],
)
def test_exits_on_the_wrong_side_are_named(side, stop, target, fault):
    prices = [None if each is None else Decimal(each) for each in (stop, target)]

    assert misplaced_exit(side, Decimal(100), *prices) == fault
