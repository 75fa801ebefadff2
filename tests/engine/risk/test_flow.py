"""Rules that look at the flow of orders: repeats, floods, and ourselves on the other side."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import forgetting
from holdfast.engine.forgetting import RECENT_ORDERS_KEPT
from holdfast.engine.market import QUOTE_OLD_NS
from holdfast.model import events as ev
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError
from holdfast.model.settings import EXECUTIONS_COUNTED_MAX, MESSAGES_COUNTED_MAX
from holdfast.model.values import (
    NS_PER_S,
    AccountId,
    OrderType,
    ParentId,
    StrategyId,
    TimeInForce,
    TradeId,
)
from tests.engine.rig import LIMIT, Rig
from tests.engine.risk.desk import BTC, ETH, Desk

# Duplicates


def test_the_same_order_again_within_the_window_is_refused(desk):
    first = desk.send(desk.buy("1", "99"))
    desk.now += NS_PER_S - 1
    verdict = desk.check("duplicate", desk.buy("1", "99"))
    assert not verdict.passed
    assert first.cl_ord_id in verdict.reason
    assert (verdict.value, verdict.limit) == (Decimal("0.999999999"), Decimal(1))
    desk.now += 1
    assert desk.check("duplicate", desk.buy("1", "99")).passed


def test_an_equal_quantity_written_otherwise_is_the_same(desk):
    desk.send(desk.buy("1"))
    assert not desk.check("duplicate", desk.buy("1.000")).passed


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ETH},
        {"side": "SELL"},
        {"qty": "1.001"},
        {"price": "99.1"},
        {"price": None},
        {"strategy_id": StrategyId("rsi")},
        {"account": AccountId("other")},
    ],
)
def test_an_order_that_differs_in_anything_is_no_duplicate(desk, change):
    plain = {"qty": "1", "price": "99"}
    desk.send(desk.buy(**plain))
    build = desk.sell if change.pop("side", None) else desk.buy
    assert desk.check("duplicate", build(**(plain | change))).passed


def test_stops_at_other_triggers_are_no_duplicates(desk):
    kind = OrderType.STOP_MARKET
    desk.send(desk.buy(order_type=kind, trigger_price="101"))
    assert desk.check("duplicate", desk.buy(order_type=kind, trigger_price="102")).passed
    assert not desk.check("duplicate", desk.buy(order_type=kind, trigger_price="101")).passed


def test_children_of_one_parent_may_be_alike(desk):
    desk.send(desk.buy(parent_id=ParentId("7")))
    assert desk.check("duplicate", desk.buy(parent_id=ParentId("7"))).passed
    assert not desk.check("duplicate", desk.buy(parent_id=ParentId("8"))).passed


def test_a_duplicate_is_found_behind_other_orders_and_after_it_has_ended(desk):
    desk.cancel(desk.rest(desk.buy("2")))
    for _ in range(5):
        desk.send(desk.buy("3", symbol=ETH))
    assert not desk.check("duplicate", desk.buy("2")).passed


def test_an_amendment_is_no_duplicate_of_its_own_order(desk):
    order = desk.rest(desk.buy("1", "99"))
    assert desk.check("duplicate", order).passed


def test_a_window_of_nothing_switches_duplicates_off():
    desk = Desk(duplicate_window_s=0)
    desk.send(desk.buy())
    assert desk.check("duplicate", desk.buy()).passed


def test_a_repeat_is_found_however_many_went_in_between():
    desk = Desk(duplicate_window_s=60)
    first = desk.send(desk.buy("1", "99"))
    for number in range(RECENT_ORDERS_KEPT - 2):
        desk.send(desk.buy(str(number + 2), "98"))
    verdict = desk.check("duplicate", desk.buy("1", "99"))
    assert first.cl_ord_id in verdict.reason
    assert desk.check("duplicate", desk.buy("0.5")).passed


def test_what_can_not_be_compared_any_more_is_refused():
    desk = Desk(duplicate_window_s=60)
    for number in range(RECENT_ORDERS_KEPT):
        desk.send(desk.buy(str(number + 1), "98"))
    assert "are remembered" in desk.check("duplicate", desk.buy("0.5")).reason
    desk.now += 60 * NS_PER_S
    assert desk.check("duplicate", desk.buy("0.5")).passed


def test_an_order_that_is_forgotten_within_the_window_may_have_been_the_same(monkeypatch):
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 1)
    desk = Desk(duplicate_window_s=60)
    for qty in ("1", "2"):
        desk.cancel(desk.rest(desk.buy(qty, "99")))
    assert "are remembered" in desk.check("duplicate", desk.buy("1", "99")).reason
    desk.now += 60 * NS_PER_S
    assert desk.check("duplicate", desk.buy("1", "99")).passed


# Message throttle


def test_messages_up_to_the_limit_pass_and_the_reserve_is_kept():
    desk = Desk(max_messages=5, message_reserve=2)
    order = desk.rest(desk.buy("1", "99"))
    desk.tell(ev.CancelRequested(ts=desk.now, cl_ord_id=order.cl_ord_id))
    verdict = desk.check("message_throttle", desk.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (True, Decimal(3), Decimal(3))
    desk.ask_replace(desk.rest(desk.buy("1", "98")), "1", "97")
    verdict = desk.check("message_throttle", desk.buy())
    assert (verdict.passed, verdict.value) == (False, Decimal(5))
    assert "5 messages in 10 s, at most 3" in verdict.reason


def test_messages_leave_the_window_after_its_length():
    desk = Desk(max_messages=3, message_reserve=1)
    desk.send(desk.buy())
    desk.send(desk.buy())
    desk.now += 10 * NS_PER_S - 1
    assert not desk.check("message_throttle", desk.buy()).passed
    desk.now += 1
    assert desk.check("message_throttle", desk.buy()).value == 1


# Execution throttle


def highest(name, value):
    """A limit at the highest that may be set."""
    with pytest.raises(ConfigError):
        TradingConfig(**{name: value + 1})
    return getattr(TradingConfig(**{name: value}).risk_limits(), name)


def test_the_highest_limits_that_may_be_set_still_hold():
    messages = highest("max_messages", MESSAGES_COUNTED_MAX)
    executions = highest("max_executions", EXECUTIONS_COUNTED_MAX)
    desk = Desk(max_messages=messages, message_reserve=0, max_executions=executions)
    order = desk.rest(desk.buy("3", "99"))
    for _ in range(executions):
        desk.fill(order, "0.001", "99")
    for _ in range(2 * messages):  # exits and cancels are sent past the limit
        desk.tell(ev.CancelRequested(ts=desk.now, cl_ord_id=order.cl_ord_id))

    assert not desk.check("message_throttle", desk.buy()).passed
    assert not desk.check("execution_throttle", desk.buy()).passed


def test_entry_fills_of_one_strategy_are_throttled_at_the_limit():
    desk = Desk(max_executions=2)
    sma, rsi = StrategyId("sma"), StrategyId("rsi")
    order = desk.rest(desk.buy("3", "99", strategy_id=sma))
    desk.fill(order, "1", "99")
    assert desk.check("execution_throttle", desk.buy(strategy_id=sma)).passed
    desk.fill(order, "1", "99")
    verdict = desk.check("execution_throttle", desk.buy(strategy_id=sma))
    assert (verdict.passed, verdict.value, verdict.limit) == (False, Decimal(2), Decimal(2))
    assert "sma" in verdict.reason
    assert desk.check("execution_throttle", desk.buy(strategy_id=rsi)).passed
    desk.now += 60 * NS_PER_S - 1
    assert not desk.check("execution_throttle", desk.buy(strategy_id=sma)).passed
    desk.now += 1
    assert desk.check("execution_throttle", desk.buy(strategy_id=sma)).value == 0


def test_executions_of_others_orders_count_against_nobody():
    rig = Rig()
    rig.wait(20)
    rig.snapshot(orders=[rig.row("other", qty=50, price=99, order_type=LIMIT, symbol=ETH)])
    assert not rig.order("other").is_ours
    for number in range(rig.settings.limits.max_executions):
        rig.wait(1)
        rig.trade("other", "0.01", "99", symbol=ETH, trade_id=TradeId(f"o{number}"))

    assert len(rig.ever(ev.OrderFilled)) == rig.settings.limits.max_executions
    assert rig.place()


# Self-match


@pytest.mark.parametrize(("price", "passes"), [("100.9", True), ("101", False), ("101.1", False)])
def test_a_buy_that_meets_our_own_sell_is_refused(desk, price, passes):
    own = desk.rest(desk.sell("1", "101"))
    verdict = desk.check("self_match", desk.buy("1", price))
    assert verdict.passed is passes
    if not passes:
        assert own.cl_ord_id in verdict.reason
        assert (verdict.value, verdict.limit) == (Decimal(price), Decimal(101))


@pytest.mark.parametrize(("price", "passes"), [("99.1", True), ("99", False), ("98.9", False)])
def test_a_sell_that_meets_our_own_buy_is_refused(desk, price, passes):
    desk.rest(desk.buy("1", "99"))
    assert desk.check("self_match", desk.sell("1", price)).passed is passes


def test_orders_in_flight_in_doubt_and_reduce_only_ones_can_be_met():
    for put in ("send", "doubt", "rest"):
        desk = Desk()
        getattr(desk, put)(desk.sell("1", "101", reduce_only=True))
        assert not desk.check("self_match", desk.buy("1", "101")).passed


def test_an_amended_order_is_met_at_its_nearer_price(desk):
    order = desk.rest(desk.sell("1", "103"))
    desk.ask_replace(order, "1", "101")
    assert not desk.check("self_match", desk.buy("1", "101")).passed
    further = desk.rest(desk.sell("1", "102", symbol=ETH))
    desk.ask_replace(further, "1", "104")
    assert not desk.check("self_match", desk.buy("1", "102", symbol=ETH)).passed


def test_what_does_not_rest_can_not_be_met(desk):
    desk.send(desk.sell("1", "101", time_in_force=TimeInForce.IOC))
    desk.rest(desk.sell(order_type=OrderType.STOP_MARKET, trigger_price="99"))
    desk.rest(desk.sell("1", "99", order_type=OrderType.STOP, trigger_price="99"))
    desk.cancel(desk.rest(desk.sell("1", "101")))
    desk.rest(desk.buy("1", "101"))
    desk.rest(desk.sell("1", "101", symbol=ETH))
    desk.rest(desk.sell("1", "101", account=AccountId("other")))
    assert desk.check("self_match", desk.buy("1", "105")).passed


def test_a_triggered_stop_limit_rests_and_can_be_met_also_when_partly_filled(desk):
    stop = desk.rest(desk.sell("2", "99", order_type=OrderType.STOP, trigger_price="99"))
    desk.tell(ev.OrderTriggered(ts=desk.now, cl_ord_id=stop.cl_ord_id))
    assert not desk.check("self_match", desk.buy("1", "99")).passed
    desk.fill(stop, "1", "99")
    assert not desk.check("self_match", desk.buy("1", "99")).passed


@pytest.mark.parametrize(("resting", "passes"), [("100.2", True), ("100.1", False), ("99", False)])
def test_a_market_order_is_taken_to_walk_as_far_as_tolerated(desk, resting, passes):
    desk.quote(BTC, 99.9, 100.0)  # and the tolerance is 0.1 %
    desk.rest(desk.sell("1", resting))
    assert desk.check("self_match", desk.buy()).passed is passes


def test_a_market_order_walks_from_the_last_trade_where_the_quote_is_old(desk):
    desk.quote(BTC, 99.9, 100.0)
    desk.rest(desk.sell("1", "106"))
    desk.now += QUOTE_OLD_NS + 1
    desk.trade(BTC, 106.0)
    assert not desk.check("self_match", desk.buy()).passed


def test_a_market_sell_walks_down_from_the_bid(desk):
    desk.quote(BTC, 100.0, 100.1)
    desk.rest(desk.buy("1", "99.8"))
    assert desk.check("self_match", desk.sell()).passed
    desk.rest(desk.buy("1", "99.9"))
    assert not desk.check("self_match", desk.sell()).passed


def test_a_market_order_without_any_price_meets_whatever_rests():
    desk = Desk(symbols=())
    desk.define(BTC)
    desk.rest(desk.sell("1", "500"))
    assert not desk.check("self_match", desk.buy()).passed


def test_an_amendment_does_not_meet_itself(desk):
    order = desk.rest(desk.sell("1", "101"))
    assert desk.check("self_match", order).passed
    turned = desk.buy("1", "101", cl_ord_id=order.cl_ord_id)
    assert desk.check("self_match", turned).passed
