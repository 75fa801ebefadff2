"""A paper venue with an ear, and short words for what is asked of it."""

from __future__ import annotations

import asyncio
import weakref
from decimal import Decimal

from holdfast.exchange import Liquidity
from holdfast.model.commands import CancelOrder, QueryOrder, ReplaceOrder, Resync, SubmitOrder
from holdfast.model.market import Trade
from holdfast.model.values import MAIN, ClOrdId, NewOrder, OrderType, Side, Symbol
from holdfast.venues import Faults, PaperSettings, PaperVenue

BTC = Symbol("BTCUSDT")
S = 1_000_000_000
START = 1_700_000_000 * S
WINDOW = 5 * S


def paper_venue(**options):
    """Return a venue whose books are closed with it, though nobody says so."""
    venue = PaperVenue(**options)
    weakref.finalize(venue, venue._books.close)
    return venue


class PaperDesk:
    def __init__(self, path=None, *, faults=None, on_hear=None):
        self.heard: list = []
        self.now = START
        self.on_hear = on_hear
        self.venue = paper_venue(
            path=path,
            settings=PaperSettings(
                liquidity=Liquidity(half_spread=Decimal(0)), faults=faults or Faults()
            ),
        )
        self.listed = asyncio.run(self.venue.connect([BTC], self._hear))

    def _hear(self, message):
        self.heard.append(message)
        if self.on_hear is not None:
            self.on_hear(message)

    def news(self):
        """Return what was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def trade(self, price, qty=1000.0):
        self.now += S
        self.venue.on_market(Trade(symbol=BTC, ts=self.now, price=float(price), qty=float(qty)))
        return self.news()

    def submit(self, cl_ord_id, side=Side.BUY, qty="0.1", price=None, *, ts=None, **more):
        order = NewOrder(
            cl_ord_id=ClOrdId(cl_ord_id),
            symbol=BTC,
            side=side,
            qty=Decimal(qty),
            price=None if price is None else Decimal(price),
            order_type=more.pop("kind", OrderType.MARKET if price is None else OrderType.LIMIT),
            **more,
        )
        command = SubmitOrder(order=order, ts=self.now if ts is None else ts, recv_window_ns=WINDOW)
        self.venue.submit(command)
        return self.news()

    def cancel(self, cl_ord_id, *, ts=None):
        self.venue.cancel(
            CancelOrder(
                account=MAIN,
                symbol=BTC,
                cl_ord_id=ClOrdId(cl_ord_id),
                is_conditional=False,
                ts=self.now if ts is None else ts,
                recv_window_ns=WINDOW,
            )
        )
        return self.news()

    def replace(self, cl_ord_id, qty, price):
        self.venue.replace(
            ReplaceOrder(
                account=MAIN,
                symbol=BTC,
                cl_ord_id=ClOrdId(cl_ord_id),
                side=Side.BUY,
                qty=Decimal(qty),
                price=Decimal(price),
                ts=self.now,
                recv_window_ns=WINDOW,
            )
        )
        return self.news()

    def query(self, cl_ord_id, *, is_conditional=False):
        self.venue.query(
            QueryOrder(
                account=MAIN,
                symbol=BTC,
                cl_ord_id=ClOrdId(cl_ord_id),
                is_conditional=is_conditional,
            )
        )
        (answer,) = self.news()
        return answer

    def snapshot(self, since=0):
        self.venue.resync(Resync(account=MAIN, reason="test", trades_since=since))
        (answer,) = self.news()
        return answer

    def tick(self, seconds=1):
        self.now += seconds * S
        self.venue.tick(self.now)
        return self.news()

    def close(self):
        asyncio.run(self.venue.close())
