"""A strategy that places, amends and takes back its own order, through sockets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.order import RequestState
from holdfast.model.values import OrderStatus, TradingSessionStatus
from holdfast.strategies import OrderUpdate, Strategy
from tests.venues.binance_futures.adapter_exchange import ACCOUNT
from tests.venues.binance_futures.adapter_street import street
from tests.venues.binance_futures.test_adapter_session import broker_at, session


class Maker(Strategy):
    """Bids below the market, moves its bid up once, and takes it back when it is told to."""

    def __init__(self):
        self.is_over = False
        self.seen: list[OrderUpdate] = []

    def on_trade(self, trade):
        bids = self.ctx.orders(trade.symbol)
        if not bids and not self.seen:
            self.signal(
                "BUY",
                trade.symbol,
                "0.01",
                "LIMIT",
                trade.price - 1000.04,
                stop_loss=0,
                take_profit=0,
                time_in_force="GTX",
            )
        for bid in bids:
            if bid.is_canceling or bid.is_amending or bid.status is not OrderStatus.NEW:
                continue
            if self.is_over:
                self.cancel(bid.cl_ord_id, "over")
            elif bid.qty != Decimal("0.02"):
                self.modify(bid.cl_ord_id, trade.price - 900.04, "0.02")

    def on_order(self, update):
        self.seen.append(update)


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_a_strategy_places_amends_and_takes_back_its_own_order(tmp_path, over_ws):
    maker = Maker()
    with street() as market:
        broker = broker_at(market, orders_over_ws=over_ws)
        async with session(tmp_path, market, broker=broker, strategies=[maker]) as one:
            await one.until(
                lambda: [o.qty for o in one.state.all_open_orders()] == [Decimal("0.02")]
            )
            [order] = one.state.all_open_orders()
            await one.until(lambda: order.replace is RequestState.NONE)
            await one.agree()
            exchange = market.town.core.exchange
            [at_venue] = market.call(lambda: exchange.open_orders(ACCOUNT))
            assert (at_venue.qty, at_venue.price) == (Decimal("0.02"), Decimal("49099.9"))

            maker.is_over = True
            await one.until(lambda: not one.books()[2])
            await one.agree()

            assert market.books()[2] == []
            assert maker.seen[-1].status is OrderStatus.CANCELED
            assert maker.seen[-1].cum_qty == 0
            assert any(update.is_amending for update in maker.seen)
            assert any(update.is_canceling for update in maker.seen)
            assert one.state.status is TradingSessionStatus.RUNNING
