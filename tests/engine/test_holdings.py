"""Who holds what, in whatever order the venue's fills are heard."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model import messages as msg
from holdfast.model.values import (
    MAIN,
    ZERO,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    StrategyId,
    TradeId,
)
from tests.engine.rig import BTC, Rig

KEY = (MAIN, BTC)
STRATEGIES = (StrategyId("a"), StrategyId("b"))
WAYS = (SignalType.BUY, SignalType.SELL, SignalType.CLOSE)


class Venue:
    """Fills each order at once, as it comes; what it has to say of that is told at any time.

    `due` are the words that nobody has heard yet: the order's, what of it, how much, and when.
    With `names_children` what a stop fills is told under a name of the venue's own first.
    """

    def __init__(self, rig, lots, *, names_children=False):
        self.rig = rig
        self.lots = lots
        self.names_children = names_children
        self.numbers = itertools.count(1)
        self.qty = ZERO
        self.now = rig.now
        self.due = []
        self.stops = {}

    def take_orders(self):
        """Carry out what the last message led to."""
        canceled, submitted = self.rig.canceled(), self.rig.submitted()
        self.rig.asked = []
        for name in canceled:
            if self.stops.pop(name, None):
                self.due.append((name, "canceled", ZERO, 0))
        for order in submitted:
            if order.order_type is OrderType.MARKET:
                self.fill(order)
            else:
                self.stops[order.cl_ord_id] = order
                self.due.append((order.cl_ord_id, "accepted", ZERO, 0))

    def fill(self, order):
        room = max(-self.qty * order.side.sign, ZERO)
        qty = min(order.qty, room) if order.reduce_only else order.qty
        if not qty:
            self.due.append((order.cl_ord_id, "rejected", ZERO, 0))
            return
        first = qty if self.lots.random() < 0.6 else (qty / 2).quantize(Decimal("0.1"))
        for part in filter(None, (first, qty - first)):
            self.now += 1_000
            self.qty += order.side.sign * part
            is_child = self.names_children and order.role is not OrderRole.EXIT
            is_child = is_child and order.order_type is not OrderType.MARKET
            what = f"child {next(self.numbers)}" if is_child else "filled"
            self.due.append((order.cl_ord_id, what, part, self.now))
        if qty < order.qty:
            self.due.append((order.cl_ord_id, "expired", qty, 0))

    def trigger_a_stop(self):
        name = self.lots.choice(list(self.stops))
        self.fill(self.stops.pop(name))

    def tell(self):
        """Say one of the things that are due, in no order."""
        name, what, qty, ts = self.due.pop(self.lots.randrange(len(self.due)))
        order = self.rig.state.orders.get(name)
        trade = what.partition(" ")[2]
        of_trade = {"trade_id": TradeId(f"c{trade}"), "venue_ts": ts}
        if what == "filled":
            self.rig.trade(name, qty, venue_ts=ts)
        elif what.startswith("child"):
            self.rig.trade(f"web_{trade}", qty, side=order.side, **of_trade)
            self.due.append((name, f"its {trade}", qty, ts))
        elif what.startswith("its"):
            self.rig.trade(name, qty, **of_trade)
        elif what == "expired":
            self.rig.expire(name, cum_qty=qty)
        elif what == "accepted" and order.status is OrderStatus.PENDING_NEW:
            self.rig.accept(name)
        elif what == "canceled" and order.is_open:
            self.rig.cancel(name)
        elif what == "rejected" and order.is_open:
            self.rig.reject(name, -2022, "ReduceOnly Order is rejected.")
        self.take_orders()


def wish(rig, lots):
    qty = Decimal(lots.randint(1, 20)) / 10
    if lots.random() < 0.25:
        side = lots.choice(tuple(Side))
        rig.hear(msg.PlaceRequest(side=side, qty=qty, symbol=BTC, reduce_only=True))
        return
    kind, more = lots.choice(WAYS), {}
    if kind is not SignalType.CLOSE:
        stop = Decimal(80 if kind is SignalType.BUY else 120)
        more = {"quantity": qty, "stop_loss": stop if lots.random() < 0.5 else None}
    rig.signal(kind, strategy_id=lots.choice(STRATEGIES), **more)


@given(
    lots=st.randoms(use_true_random=False),
    lag=st.sampled_from((0.0, 0.2, 0.4, 0.6)),
    names_children=st.booleans(),
)
@settings(max_examples=300)
def test_parents_hold_the_position_and_their_stops_just_that(lots, lag, names_children):
    rig = Rig()
    venue = Venue(rig, lots, names_children=names_children)
    for _ in range(lots.randint(3, 12)):
        rig.wait(1.1, step=1.1)  # one tick: what a second one asked for would hide the first
        venue.take_orders()
        if venue.stops and lots.random() < 0.25:
            venue.trigger_a_stop()
        else:
            wish(rig, lots)
            venue.take_orders()
        while venue.due and lots.random() < lag:
            venue.tell()
    settle(rig, venue)

    parents = rig.state.live_parents_of(KEY)
    assert rig.qty() == venue.qty
    assert sum((p.open_qty * p.side.sign for p in parents), ZERO) == venue.qty
    for role in (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT):
        there = sorted((o.parent_id, o.qty) for o in venue.stops.values() if o.role is role)
        held = [p for p in parents if p.open_qty and p.protective_price(role)]
        assert there == sorted((p.parent_id, p.open_qty) for p in held)


def settle(rig, venue):
    """Hear all that is due, until nothing is asked for any more."""
    for _ in range(30):
        while venue.due:
            venue.tell()
        rig.wait(1)
        venue.take_orders()
