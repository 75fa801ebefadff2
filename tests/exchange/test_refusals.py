from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.exchange import PositionSide
from holdfast.exchange.admission import MAX_CONDITIONAL_ORDERS, MAX_OPEN_ORDERS
from holdfast.model.messages import RequestRefused
from holdfast.model.values import AccountId, OrderType, Side, Symbol, TimeInForce
from tests.exchange.desk import BTC, START, Desk, S, d, instrument, story

STOP, TRAIL = OrderType.STOP_MARKET, OrderType.TRAILING_STOP_MARKET

REFUSALS: dict[str, Any] = {
    "no such symbol": (-1121, 1, 50_000, {"symbol": Symbol("NOPEUSDT")}),
    "no such account": (-1109, 1, 50_000, {"account": AccountId("nobody")}),
    "a limit order without a price": (-1102, 1, None, {"kind": OrderType.LIMIT}),
    "a market order with a price": (-1106, 1, 50_000, {"kind": OrderType.MARKET}),
    "a stop without a trigger": (-1102, 1, None, {"kind": STOP}),
    "a trailing stop without a callback": (-1102, 1, None, {"kind": TRAIL}),
    "a callback below a tenth of a percent": (
        -1130,
        1,
        None,
        {"kind": TRAIL, "callback_rate": "0.09"},
    ),
    "a callback above twenty percent": (-1130, 1, None, {"kind": TRAIL, "callback_rate": 21}),
    "a trigger price of zero": (-4006, 1, None, {"kind": STOP, "trigger_price": 0}),
    "an id that is too long": (-4015, 1, 50_000, {"cl_ord_id": "x" * 37}),
    "an id with a blank": (-4015, 1, 50_000, {"cl_ord_id": "a b"}),
    "an empty id": (-4015, 1, 50_000, {"cl_ord_id": ""}),
    "a quantity of zero": (-4003, 0, 50_000, {}),
    "a quantity that is no number": (-4003, "NaN", 50_000, {}),
    "a quantity below the least": (-4004, "0.0001", 50_000, {}),
    "a quantity above the most": (-4005, 1001, 50_000, {}),
    "a market quantity above the most": (-4005, 121, None, {}),
    "a quantity off the lot": (-4023, "0.0015", 50_000, {}),
    "a price of zero": (-4001, 1, 0, {}),
    "a negative price": (-4001, 1, -5, {}),
    "an infinite price": (-4001, 1, "Infinity", {}),
    "a price off the tick": (-4014, 1, "50000.05", {}),
    "a price below the least": (-4013, 1, "99.9", {}),
    "a price above the most": (-4002, 1, "200000.1", {}),
    "a trigger below the least": (-4013, 1, None, {"kind": STOP, "trigger_price": "99.9"}),
    "a trigger above the most": (-4007, 1, None, {"kind": STOP, "trigger_price": "200000.1"}),
    "a buy too far above the mark": (-4016, 1, "52500.1", {}),
    "too small a notional": (-4164, "0.001", 50_000, {}),
    "reduce-only without a position": (-2022, 1, 50_000, {"reduce_only": True}),
    "good till no date": (-1102, 1, 50_000, {"time_in_force": TimeInForce.GTD}),
    "a date without good-till": (-1106, 1, 50_000, {"expire_ts": START + 9999 * S}),
    "good till too soon": (
        -5040,
        1,
        50_000,
        {"time_in_force": TimeInForce.GTD, "expire_ts": START + 601 * S},
    ),
    "more than the margin bears": (-2019, 5, 50_000, {}),
    "a position above the bracket's cap": (-2027, 999, 50_000, {"rich": True}),
    "a stop that would trigger at once": (-2021, 1, None, {"kind": STOP, "trigger_price": 50_000}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name):
    code, qty, price, more = REFUSALS[name]
    more = dict(more)
    bounded = msgspec.structs.replace(instrument(), min_price=d(100), max_price=d(200_000))
    balance = 100_000_000 if more.pop("rich", False) else 10_000
    desk = Desk(bounded, balance=balance, leverage=75)
    if code == -2019:
        desk = Desk()
    desk.trade(50_000)
    wallet = desk.wallet

    reports = desk.buy(qty, price, **more)

    assert [report.code for report in reports] == [code]
    assert reports[0].reason
    assert desk.open_ids() == []
    assert desk.wallet == wallet


def test_a_sell_too_far_below_the_mark_is_refused():
    desk = Desk()
    desk.trade(50_000)

    assert story(desk.sell("0.01", "47499.9")) == ["o1 REJECTED -4024"]
    assert story(desk.sell("0.01", "47500")) == ["o2 NEW", "o2 0.01@50000"]


def test_an_id_is_unique_among_open_orders_only():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.01", 49_000, cl_ord_id="same")

    assert story(desk.buy("0.01", cl_ord_id="same")) == ["same REJECTED -4116"]

    desk.cancel("same")
    desk.buy("0.01", cl_ord_id="same")
    desk.buy("0.01", cl_ord_id="same")

    assert desk.qty() == d("0.02")


def test_reduce_only_is_exempt_from_the_least_notional():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.002")

    assert story(desk.sell("0.001", reduce_only=True)) == ["o2 NEW", "o2 0.001@50000"]


def test_the_margin_check_counts_open_orders():
    desk = Desk()
    desk.trade(50_000)
    for _ in range(3):
        assert story(desk.buy(1, 49_000))[0].endswith("NEW")
    desk.buy("0.8", 49_000)

    assert story(desk.buy("0.5", 49_000)) == ["o5 REJECTED -2019"]
    assert story(desk.sell("0.5", 51_000)) == ["o6 NEW"]  # the worse side counts


def test_the_margin_check_counts_what_the_order_loses_at_once():
    desk = Desk(balance=2_600)
    desk.mark(50_000)
    desk.quote(51_990, 52_000)

    assert story(desk.buy(1)) == ["o1 REJECTED -2019"]
    assert story(desk.sell(1)) == ["o2 NEW", "o2 1@51990"]


def test_closing_is_possible_with_no_margin_left():
    desk = Desk(balance=2_600)
    desk.trade(50_000)
    desk.buy(1)
    desk.trade(48_500)

    assert (
        desk.exchange.margin(desk.exchange.trades_since(AccountId("main"))[0].account).available
        == 0
    )
    assert story(desk.sell(1)) == ["o2 NEW", "o2 1@48500"]


def test_open_orders_are_limited():
    desk = Desk(balance=1_000_000)
    desk.trade(50_000)
    for _ in range(MAX_OPEN_ORDERS):
        desk.buy("0.01", 49_000)

    assert story(desk.buy("0.01", 49_000))[0].endswith("REJECTED -2025")


def test_conditional_orders_are_limited():
    desk = Desk()
    desk.trade(50_000)
    for _ in range(MAX_CONDITIONAL_ORDERS):
        desk.sell(1, kind=STOP, trigger_price=49_000)

    assert story(desk.sell(1, kind=STOP, trigger_price=49_000))[0].endswith("REJECTED -4045")


def test_cancelling_what_is_not_open_is_refused():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.01")

    for cl_ord_id in ("o1", "never"):
        (refused,) = desk.cancel(cl_ord_id)
        assert isinstance(refused, RequestRefused)
        assert refused.code == -2011


def test_a_conditional_order_is_cancelled_as_one_until_it_was_triggered():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1", kind=OrderType.STOP, trigger_price=50_500, price=50_400)

    assert desk.cancel("o1", is_conditional=False)[0].code == -2011

    desk.trade(50_500)

    assert desk.cancel("o1", is_conditional=True)[0].code == -2011
    assert story(desk.cancel("o1", is_conditional=False)) == ["o1 CANCELED"]


def test_cancel_all_takes_one_symbol():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1", 49_000)
    desk.buy("0.1", 48_000)
    desk.sell("0.1", kind=STOP, trigger_price=47_000)
    account = desk.exchange.open_orders(AccountId("main"))[0].account

    desk.exchange.cancel_all(account, BTC, desk.now, is_conditional=False)

    assert desk.open_ids() == ["o3"]


def test_leverage_must_suit_the_contract_and_the_position():
    desk = Desk(balance=1_000_000)
    main = AccountId("main")
    desk.trade(50_000)
    desk.buy(20)

    def refusal(symbol, leverage):
        found = desk.exchange.set_leverage(main, symbol, leverage)
        return found and found.code

    assert refusal(Symbol("NOPEUSDT"), 5) == -1121
    assert refusal(BTC, 0) == -4028
    assert refusal(BTC, 151) == -4028
    assert refusal(BTC, 150) == -2027
    assert refusal(BTC, 75) is None
    assert desk.exchange.leverage(main, BTC) == 75


def test_a_leverage_that_the_margin_does_not_bear_is_refused():
    desk, main = Desk(balance=1_000), AccountId("main")
    desk.trade(50_000)
    desk.buy("0.1")
    desk.buy("0.1", 49_000)
    before = desk.exchange.margin(main)

    refusal = desk.exchange.set_leverage(main, BTC, 9)

    assert refusal is not None
    assert refusal.code == -2028
    assert desk.exchange.margin(main) == before
    assert desk.exchange.set_leverage(main, BTC, 11) is None
    assert desk.exchange.margin(main).headroom > 0


def test_open_orders_count_towards_what_a_leverage_allows():
    """Filled, they made a position past its cap: 5 million at 125x, where 300,000 are allowed."""
    desk, main = Desk(balance=1_000_000), AccountId("main")
    desk.trade(50_000)
    desk.buy(100, 49_990)

    refusal = desk.exchange.set_leverage(main, BTC, 125)

    assert refusal is not None
    assert refusal.code == -2027


def test_the_leverage_that_holds_can_always_be_set():
    desk, main = Desk(balance=30_000), AccountId("main")
    desk.exchange.set_leverage(main, BTC, 125)
    desk.trade(50_000)
    desk.buy("5.9")
    desk.trade(52_000)  # worth more by now than 125x would let in

    assert desk.exchange.set_leverage(main, BTC, 125) is None


def test_the_default_leverage_is_no_more_than_the_contract_allows():
    """It found no bracket that fits, and took that for no limit at all."""
    brackets = tuple(each for each in instrument().brackets if each.max_leverage <= 10)
    low = msgspec.structs.replace(instrument(), brackets=brackets)
    desk = Desk(low, balance=100_000_000)
    desk.trade(50_000)

    assert desk.exchange.leverage(AccountId("main"), BTC) == 10
    desk.buy(100)
    assert desk.exchange.symbol_margin(AccountId("main"), BTC).position_margin == 500_000
    desk.buy(1_000, 49_000)
    desk.buy(1_000, 49_000)
    desk.buy(1_000, 49_000)
    desk.buy(1_000, 49_000)
    assert story(desk.buy(1_000, 49_000)) == ["o6 REJECTED -2027"]


def test_a_question_opens_no_account():
    exchange, nobody = Desk().exchange, AccountId("nobody")
    exchange.drain_changes()

    assert exchange.margin(nobody).balance == 0
    assert exchange.symbol_margin(nobody, BTC).notional == 0
    assert exchange.liquidation_price(nobody, BTC) is None
    assert exchange.sides(nobody) == (PositionSide.BOTH,)
    assert not exchange.has_account(nobody)
    assert not exchange.has_changes


def test_a_filter_is_checked_before_the_account():
    desk = Desk()
    desk.trade(50_000)

    assert desk.submit(desk.order(Side.BUY, "0.0015", "1.05"))[0].code == -4023
