"""A strategy hears how its own orders fare, and its wishes leave when its hook has returned."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest

from holdfast.engine.order import Order
from holdfast.model import events as ev
from holdfast.model.order_wish import Wish
from holdfast.model.values import (
    ClOrdId,
    NewOrder,
    OrderStatus,
    Side,
)
from holdfast.strategies import Strategy
from holdfast.strategies.context import OrderUpdate
from tests.runtime.runner_session import BTC, Session, fill_of, order_of, synthetic


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Session]]:
    """End the sessions that a test has left open: their guards hold the process's timer."""
    Session.all = []
    yield Session.all
    for session in Session.all:
        session.runner.end("the test is over")


class Trader(Strategy):
    def __init__(self) -> None:
        self.fills: list[ev.OrderFilled] = []
        self.updates: list[OrderUpdate] = []

    def on_fill(self, fill: ev.OrderFilled) -> None:
        self.fills.append(fill)

    def on_order(self, update: OrderUpdate) -> None:
        self.updates.append(update)


def test_owner_hears_how_its_order_fares_and_nobody_else():
    mine, other = Trader(), Trader()
    name = "a_name_longer_than_an_id_can_carry"
    session = Session(synthetic(), {name: mine, "a_name_longer_too": other}).begin()
    order = order_of(name)
    session.books.known[order.cl_ord_id] = order
    cl_ord_id = order.cl_ord_id
    fill = fill_of(order)
    facts: list[ev.OrderFact | ev.OrderFilled] = [
        ev.OrderAccepted(ts=1, cl_ord_id=cl_ord_id),
        fill,
        ev.CancelRequested(ts=1, cl_ord_id=cl_ord_id),
        ev.CancelRejected(ts=1, cl_ord_id=cl_ord_id, reason="too late"),
        ev.OrderCanceled(ts=1, cl_ord_id=cl_ord_id, cum_qty=Decimal(1), reason="by hand"),
    ]

    session.runner.on_fact(
        ev.OrderSubmitted(ts=1, order=order.request, verdicts=(), recv_window_ns=1)
    )
    for fact in facts:
        order.apply(fact)
        session.runner.on_fact(fact)
    session.runner.on_fact(ev.AlarmRaised(ts=1, code="x", text="of no order"))

    assert mine.fills == [fill]
    assert [(u.status.name, str(u.cum_qty), u.reason) for u in mine.updates] == [
        ("PENDING_NEW", "0", ""),
        ("NEW", "0", ""),
        ("PARTIALLY_FILLED", "1", ""),
        ("PARTIALLY_FILLED", "1", ""),
        ("PARTIALLY_FILLED", "1", "too late"),
        ("CANCELED", "1", "by hand"),
    ]
    assert mine.updates[-1].avg_px == Decimal(100)
    assert (other.fills, other.updates) == ([], [])


def test_denied_order_tells_its_owner_the_rule():
    mine = Trader()
    session = Session(synthetic(), {"mine": mine}).begin()
    order = order_of("mine")
    order.status, order.reason = OrderStatus.DENIED, "margin: too little"
    session.books.known[order.cl_ord_id] = order

    session.runner.on_fact(
        ev.OrderDenied(ts=1, order=order.request, rule="margin", reason="too little", verdicts=())
    )

    assert [(u.status, u.reason) for u in mine.updates] == [(OrderStatus.DENIED, "too little")]


def test_fill_of_an_order_that_is_not_remembered_finds_its_owner_by_its_id():
    mine, twin, third = Trader(), Trader(), Trader()
    strategies = {"sma_cross": mine, "a_name_longer_1": twin, "a_name_longer_2": third}
    session = Session(synthetic(), dict(strategies)).begin()

    session.runner.on_fact(fill_of(order_of("sma_cross")))
    session.runner.on_fact(fill_of(order_of("a_name_longer_1")))
    session.runner.on_fact(fill_of(order_of("a_name_longe")))  # as it was once cut: two are meant
    foreign = Order(
        request=NewOrder(
            cl_ord_id=ClOrdId("autoclose-1"), symbol=BTC, side=Side.SELL, qty=Decimal(1)
        ),
        status=OrderStatus.NEW,
        created_ts=1,
        qty=Decimal(1),
        price=None,
    )
    session.runner.on_fact(fill_of(foreign))

    assert [len(one.fills) for one in (mine, twin, third)] == [1, 1, 0]


def test_wish_that_comes_back_as_a_fill_makes_the_next_without_getting_deep():
    depth, deepest = 0, 0

    class PingPong(Strategy):
        def __init__(self) -> None:
            self.left = 2000

        def on_fill(self, fill: ev.OrderFilled) -> None:
            self.left -= 1
            if self.left:
                self.signal("BUY", BTC)

    strategy = PingPong()
    session = Session(synthetic(), {"p": strategy})

    def react(wish: Wish) -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        session.runner.on_fact(fill_of(order_of("p")))
        depth -= 1

    session.react = react
    session.begin()
    session.runner.on_fact(fill_of(order_of("p")))

    assert len(session.wishes) == 1999
    assert deepest == 1


def test_log_lines_reach_the_log_with_the_strategys_name(caplog):
    class Talking(Strategy):
        def on_start(self, ctx) -> None:
            ctx.log("here I am")

    with caplog.at_level(logging.INFO, "holdfast.runner"):
        Session(synthetic(), {"talking": Talking()}).begin().runner.end("over")

    assert "talking: here I am" in caplog.messages
