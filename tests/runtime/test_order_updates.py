"""What a strategy is told of its orders: here, executions that were booked under another name."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.order import Order
from holdfast.model import events as ev
from holdfast.model.values import ClOrdId, NewOrder, OrderStatus, Side, Symbol, TradeId
from holdfast.runtime.order_updates import fill_of

BTC, STOP = Symbol("BTCUSDT"), ClOrdId("hf.1.2.1.S.x")


@pytest.fixture
def stop():
    asked = NewOrder(cl_ord_id=STOP, symbol=BTC, side=Side.SELL, qty=Decimal(2))
    return Order(request=asked, status=OrderStatus.NEW, created_ts=1, qty=asked.qty, price=None)


def recognized(**more):
    amounts: dict = {"qty": Decimal(2), "price": Decimal(90), "fee": Decimal("0.1")}
    return ev.FillRecognized(ts=7, cl_ord_id=STOP, trade_id=TradeId("t1"), **amounts, **more)


def test_what_a_child_filled_is_told_as_its_parents(stop):
    fact = recognized(fee_asset="BNB", realized_pnl=Decimal(-20), is_maker=True, venue_ts=5)

    assert fill_of(fact, stop) == ev.OrderFilled(
        ts=7, account=stop.request.account, symbol=BTC, side=Side.SELL, cl_ord_id=STOP,
        trade_id=TradeId("t1"), qty=Decimal(2), price=Decimal(90), fee=Decimal("0.1"),
        fee_asset="BNB", realized_pnl=Decimal(-20), is_maker=True, venue_ts=5,
    )  # fmt: skip


def test_what_no_list_has_is_no_execution_to_tell_of(stop):
    assert fill_of(recognized(), stop) is None
    assert fill_of(recognized(venue_ts=5), None) is None
