"""Rules that ask whether anything new may go out at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.risk import order_shape
from holdfast.model import events as ev
from holdfast.model.values import (
    AccountId,
    OrderType,
    StrategyId,
    TradingSessionStatus,
)


def test_engaged_kill_switch_refuses_until_it_is_released(desk):
    order = desk.buy()
    assert desk.check("kill_switch", order).passed
    desk.tell(ev.KillSwitchEngaged(ts=desk.now, reason="fat finger", flatten=False))
    verdict = desk.check("kill_switch", order)
    assert not verdict.passed
    assert "fat finger" in verdict.reason
    assert "operator must release" in verdict.reason
    desk.tell(ev.KillSwitchReleased(ts=desk.now, operator="ann"))
    assert desk.check("kill_switch", order).passed


@pytest.mark.parametrize("status", list(TradingSessionStatus))
def test_only_a_running_session_takes_new_risk(desk, status):
    desk.session(status, "because")
    verdict = desk.check("session", desk.buy())
    assert verdict.passed is (status is TradingSessionStatus.RUNNING)
    if not verdict.passed:
        assert status.value in verdict.reason
        assert "because" in verdict.reason


def test_stopped_strategy_may_not_open_and_others_may(desk):
    desk.tell(ev.StrategyStopped(ts=desk.now, strategy_id=StrategyId("sma"), reason="it hung"))
    verdict = desk.check("strategy", desk.buy(strategy_id=StrategyId("sma")))
    assert not verdict.passed
    assert "it hung" in verdict.reason
    assert desk.check("strategy", desk.buy(strategy_id=StrategyId("rsi"))).passed


def test_restarted_strategy_may_open_again(desk):
    name = StrategyId("sma")
    desk.tell(ev.StrategyStopped(ts=desk.now, strategy_id=name, reason="it hung"))
    desk.tell(ev.StrategyStarted(ts=desk.now, strategy_id=name, description=""))
    assert desk.check("strategy", desk.buy(strategy_id=name)).passed


@pytest.mark.parametrize(
    ("state", "account", "passes"),
    [
        ("CLOSED", "main", True),
        ("HALF_OPEN", "main", True),  # somebody has to try
        ("OPEN", "main", False),
        ("OPEN", "other", True),
        ("OPEN", "main 2", True),
    ],
)
def test_open_breaker_refuses_orders_of_its_account(desk, state, account, passes):
    desk.tell(
        ev.BreakerChanged(
            ts=desk.now,
            account=AccountId(account),
            failure="limits",
            state=state,
            failure_count=5,
            reason="429",
        )
    )
    verdict = desk.check("breaker", desk.buy())
    assert verdict.passed is passes
    if not passes:
        assert "limits" in verdict.reason
        assert (verdict.value, verdict.limit) == (Decimal(5), Decimal(5))


# The shape of an order

NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
ABSURD = [NAN, Decimal("sNaN"), INFINITE, -INFINITE, Decimal(0), Decimal(-1), Decimal("1e16")]


@pytest.mark.parametrize("qty", [*ABSURD, Decimal("1e-999999")])
def test_impossible_quantity_is_refused_by_that_verdict_alone(desk, qty):
    (verdict,) = desk.assess(desk.order(qty=qty))
    assert not verdict.passed
    assert verdict.rule == "order_shape"


@pytest.mark.parametrize("price", ABSURD)
def test_impossible_price_is_refused(desk, price):
    limit = desk.order(price=price)
    stop = desk.order(order_type=OrderType.STOP_MARKET, trigger_price=price)
    assert not order_shape.check(limit).passed
    assert not order_shape.check(stop).passed


@pytest.mark.parametrize(
    ("kind", "price", "trigger", "passes"),
    [
        (OrderType.MARKET, None, None, True),
        (OrderType.MARKET, "100", None, False),
        (OrderType.MARKET, None, "100", False),
        (OrderType.LIMIT, "100", None, True),
        (OrderType.LIMIT, None, None, False),
        (OrderType.STOP, "100", "100", True),
        (OrderType.STOP, None, "100", False),
        (OrderType.TAKE_PROFIT, "100", None, False),
        (OrderType.STOP_MARKET, None, "100", True),
        (OrderType.STOP_MARKET, None, None, False),
        (OrderType.TAKE_PROFIT_MARKET, "100", "100", False),
        (OrderType.TRAILING_STOP_MARKET, None, None, True),
    ],
)
def test_prices_must_be_those_the_type_calls_for(desk, kind, price, trigger, passes):
    fields = {"trigger_price": trigger} if trigger else {}
    order = desk.order(order_type=kind, price=price, **fields)
    assert order_shape.check(order).passed is passes
