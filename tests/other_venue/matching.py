"""How orders meet the other venue's market: at its one price, or in its depth."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import rows, telling
from .depth import Depth
from .orders import Fill, Refused, exact

ZERO = Decimal(0)
FEE = Decimal("0.0005")
MAKER_FEE = Decimal("-0.0001")
"""Makers are paid at the other venue."""
TAKING = ("MARKET", "IOC", "FOK")


class Matching:
    """A part of the books, which have the rest."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def open_market(self):
        self._match = None
        self.depths = {
            name: Depth(name, price, self.contracts[name])
            for name, price in self.prices.items()
            if "depth" in self.habits
        }

    def thin(self, levels):
        """Let so many levels be on each side from the next beat on."""
        for depth in self.depths.values():
            depth.levels_there = levels

    def _enter(self, order):
        self.orders[order.symbol, order.order_id] = order
        new = rows.order_event(order, "NEW", self.now())
        if order.kind == "MARKET":
            with self._matching():
                self._take(order, new)
            return
        self.tell(new)
        self._meet(order, is_maker=False)
        if order.is_open and order.tif in TAKING:
            self._end(order, "EXPIRED", "2")

    def _meet(self, order, *, is_maker):
        """Fill what a limit order meets as it comes."""
        if not self.depths:
            self._cross(order, is_maker=is_maker)
            return
        with self._matching():
            self._take(order, None, order.price)

    @contextmanager
    def _matching(self):
        """Tell of what fills herein once all has filled."""
        self._match = []
        yield
        matched, self._match = self._match, None
        ends = [each for each in matched if "end" in each]
        filled = [each for each in matched if "end" not in each]
        for frame in telling.in_order(filled, self.habits) if filled else []:
            self.tell(frame)
        for each in ends:
            self.tell(each["end"])

    def trickle(self):
        """Let time pass: what was eaten is back, and orders that are reached fill bit by bit."""
        for symbol, depth in self.depths.items():
            depth.refill(self.prices[symbol])
            for order in self.open_orders(symbol):
                self._cross(order)

    def _cross(self, order, *, is_maker=True):
        away = (self.prices[order.symbol] - order.price) * order.sign
        if order.kind == "LIMIT" and order.is_open and away <= 0:
            lot = self.contracts[order.symbol]["lot"]
            qty = max(lot, order.qty * self.part // lot * lot)
            self._fill(order, min(qty, order.qty - order.done), order.price, is_maker=is_maker)

    def _take(self, order, new, limit=None):
        """Fill what there is for a taker, level by level."""
        for price, qty in list(self._offers(order, limit)):
            if order.is_open:
                self._fill(order, qty, price, is_maker=False, new=new)
                new = None
        if order.is_open and order.kind == "MARKET":
            if new is not None:
                self.tell(new)
            is_flat = order.reduce_only and not self.position(order.symbol).qty
            self._end(order, "EXPIRED", "4" if is_flat else "9")

    def _offers(self, order, limit):
        """Yield (price, quantity): of the levels, or at the price, in one trade or in three."""
        if self.depths:
            yield from self.depths[order.symbol].eat(order.sign, order.qty - order.done, limit)
            return
        price, lot = self.prices[order.symbol], self.contracts[order.symbol]["lot"]
        third = max(lot, order.qty / 3 // lot * lot) if "three_trades" in self.habits else order.qty
        left = order.qty
        while left:
            qty = min(third, left)
            yield price, qty
            left, price = left - qty, price + self.contracts[order.symbol]["tick"] * order.sign

    def _fill(self, order, qty, price, *, is_maker, new=None, what="TRADE"):
        if order.reduce_only:
            qty = min(qty, max(-self.position(order.symbol).qty * order.sign, ZERO))
        if not qty:
            self._end(order, "EXPIRED", "4")
            return
        rate = MAKER_FEE if is_maker else FEE
        fee, now = exact(qty * price * rate), self.now()
        profit = self._move(order.symbol, qty * order.sign, price)
        order.done, order.cost, order.changed = order.done + qty, order.cost + qty * price, now
        order.status = "FILLED" if order.done == order.qty else "PARTIALLY_FILLED"
        asset = "BNB" if "bnb_fees" in self.habits else "USDT"
        fee = exact(fee / 600) if asset == "BNB" else fee
        fill = Fill(
            self._trades(order.symbol), order, qty, price, profit, fee, asset, is_maker, now
        )
        self.fills.append(fill)
        self._pay(profit, "REALIZED_PNL", order.symbol, f"{fill.trade_id}")
        self._pay(-fee, "COMMISSION", order.symbol, f"{fill.trade_id}", fill.fee_asset)
        frames = telling.told_of(self, fill, what, new)
        if self._match is not None:
            self._match.append(frames)
            return
        for frame in telling.in_order([frames], self.habits):
            self.tell(frame)

    def _would_take(self, order, price):
        return bool(self.depths and self.depths[order.symbol].there(order.sign, price))

    def prevented(self, order, what):
        """End an order that would have met another one of the account."""
        order.status, order.changed = "EXPIRED_IN_MATCH", self.now()
        event = rows.order_event(order, what, self.now())
        event["o"]["er"] = "1"
        self.tell(event)

    def _check_matches(self, order):
        """Refuse a FOK that would not fill as a whole, and a GTX that would take."""
        if not self.depths or order.tif not in ("FOK", "GTX"):
            return
        there = self.depths[order.symbol].there(order.sign, order.price)
        if order.tif == "FOK" and there < order.qty:
            raise Refused(-5021, "The FOK order has been rejected.")
        if order.tif == "GTX" and self._would_take(order, order.price):
            raise Refused(-5022, "The Post Only order will be rejected.")
