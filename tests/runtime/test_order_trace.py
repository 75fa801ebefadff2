"""What an order's trace says of what it filled, whatever the facts are called."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model.values import ClOrdId, NewOrder, OrderStatus, Side, Symbol, TradeId
from holdfast.runtime import order_trace
from holdfast.runtime.order_trace import trace_order

BTC = Symbol("BTCUSDT")
ID = ClOrdId("hf.1.1.1.S.cross")
ORDER = NewOrder(cl_ord_id=ID, symbol=BTC, side=Side.SELL, qty=Decimal(4))


def filled(number, qty="1", price="100"):
    return ev.OrderFilled(
        ts=number,
        symbol=BTC,
        side=Side.SELL,
        cl_ord_id=ID,
        trade_id=TradeId(str(number)),
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal(0),
        realized_pnl=Decimal(0),
        venue_ts=number,
    )


def recognized(number, qty, price):
    return ev.FillRecognized(
        ts=number,
        cl_ord_id=ID,
        trade_id=TradeId(str(number)),
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal(0),
    )


def submitted():
    return ev.OrderSubmitted(ts=0, order=ORDER, verdicts=(), recv_window_ns=1)


def adopted(cum_qty):
    return ev.OrderAdopted(
        ts=0,
        order=ORDER,
        venue_order_id="1",
        status=OrderStatus.PARTIALLY_FILLED,
        cum_qty=Decimal(cum_qty),
        is_ours=True,
    )


def traced(*facts):
    return trace_order(lambda: facts, ID)


def test_an_execution_under_its_childs_name_is_the_orders():
    """A stop's child executes under a name of its own; what it did is recognized later."""
    trace = traced(submitted(), filled(1, "1", "100"), recognized(2, "3", "104"))

    assert trace.cum_qty == 4
    assert trace.avg_px == 103
    assert [fill.trade_id for fill in trace.fills] == ["1", "2"]


@pytest.mark.parametrize(("more", "price"), [((), None), ((filled(1, "1", "100"),), 100)])
def test_what_had_filled_before_an_order_was_adopted_counts(more, price):
    trace = traced(adopted("2"), *more)

    assert trace.cum_qty == 2 + len(more)
    assert trace.avg_px == price  # nobody knows that of what was filled before


def test_facts_that_are_left_out_count_in_what_was_filled(monkeypatch):
    monkeypatch.setattr(order_trace, "FACTS_MAX", 3)
    trace = traced(submitted(), *(filled(number, "0.5") for number in range(1, 9)))

    assert trace.cum_qty == 4
    assert trace.avg_px == 100
    assert (len(trace.facts), trace.left_out) == (3, 6)
