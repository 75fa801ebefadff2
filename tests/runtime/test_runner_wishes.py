"""A strategy's wishes about its own orders: queued with its signals, and what it sees of the orders."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from holdfast.engine.order import RequestState
from holdfast.model.events import OrderAccepted, OrderFilled
from holdfast.model.market import Bar
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import OrderStatus
from holdfast.runtime import attached
from holdfast.runtime.bus import EventBus
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.strategies import Strategy
from holdfast.strategies.context import OrderUpdate
from tests.runtime.runner_session import (
    BTC,
    ETH,
    Session,
    boom,
    everything,
    fill_of,
    order_of,
    synthetic,
)


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Session]]:
    """End the sessions that a test has left open: their guards hold the process's timer."""
    Session.all = []
    yield Session.all
    for session in Session.all:
        session.runner.end("the test is over")


def said(session: Session) -> list[str]:
    words = {True: "cancel", False: "modify"}
    return [
        words[wish.is_cancel] if isinstance(wish, OrderWish) else wish.signal_type.value
        for wish in session.wishes
    ]


class Requoting(Strategy):
    """Says three things in one hook."""

    def on_fill(self, fill: OrderFilled) -> None:
        self.cancel("a", "moved")
        self.signal("BUY", BTC)
        self.modify("b", 99)


def test_wishes_are_passed_on_in_the_order_in_which_they_were_said():
    session = Session(synthetic(), {"one": Requoting(), "other": Requoting()}).begin()

    session.runner.on_fact(fill_of(order_of("one")))
    session.runner.on_fact(fill_of(order_of("other")))

    assert said(session) == ["cancel", "BUY", "modify"] * 2
    assert [wish.strategy_id for wish in session.wishes] == ["one"] * 3 + ["other"] * 3


def test_what_a_failing_hook_wished_for_goes_nowhere():
    class Failing(Requoting):
        def on_fill(self, fill: OrderFilled) -> None:
            super().on_fill(fill)
            boom()

    session = Session(synthetic(), {"one": Failing()}).begin()

    session.runner.on_fact(fill_of(order_of("one")))

    assert session.wishes == []
    assert list(session.failed) == ["one"]


def test_a_wish_whose_strategy_failed_before_its_turn_goes_nowhere():
    class Late(Requoting):
        def on_order(self, update: OrderUpdate) -> None:
            boom()

    session = Session(synthetic(), {"one": Late()}).begin()
    order = order_of("one")
    session.books.known[order.cl_ord_id] = order
    accepted = OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id)
    session.react = lambda wish: session.runner.on_fact(accepted)

    session.runner.on_fact(fill_of(order))

    assert said(session) == ["cancel"]  # what was wished behind it had not had its turn
    assert list(session.failed) == ["one"]


def test_nothing_is_wished_while_warming_up():
    class Eager(Strategy):
        timeframes = ("1m",)
        warmup_bars = 5
        bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            self.cancel("x")
            self.modify("x", 1)

    eager = Eager()
    session = Session(synthetic(), {"one": eager}).begin()
    assert eager.bars == 5
    assert session.wishes == []

    session.show(everything(session.feed))
    assert eager.bars > 5
    assert said(session) == ["cancel", "modify"] * (eager.bars - 5)


def test_a_strategy_sees_its_open_entries_as_on_order_shows_them():
    seen: list[OrderUpdate] = []

    class Looking(Strategy):
        def on_order(self, update: OrderUpdate) -> None:
            seen.append(update)
            seen.extend(self.ctx.orders())
            seen.extend(self.ctx.orders(BTC))
            assert self.ctx.orders(ETH) == []

    session = Session(synthetic(), {"one": Looking()}).begin()
    order = order_of("one")
    order.status, order.price, order.cum_qty = OrderStatus.PARTIALLY_FILLED, Decimal(99), Decimal(1)
    order.cum_quote, order.priced_qty = Decimal(99), Decimal(1)
    order.replace, order.cancel = RequestState.PENDING, RequestState.IN_DOUBT
    session.books.known[order.cl_ord_id] = order

    session.runner.on_fact(OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id))

    assert (
        seen
        == [
            OrderUpdate(
                cl_ord_id=order.cl_ord_id,
                symbol=BTC,
                side=order.side,
                status=OrderStatus.PARTIALLY_FILLED,
                qty=Decimal(2),
                cum_qty=Decimal(1),
                avg_px=Decimal(99),
                price=Decimal(99),
                is_canceling=True,
                is_amending=True,
            )
        ]
        * 3
    )


def test_an_order_is_canceling_from_the_asking_until_its_end():
    seen: list[OrderUpdate] = []

    class Looking(Strategy):
        def on_order(self, update: OrderUpdate) -> None:
            seen.append(update)

    session = Session(synthetic(), {"one": Looking()}).begin()
    order = order_of("one")
    session.books.known[order.cl_ord_id] = order
    session.runner.on_fact(OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id))
    order.ending = OrderStatus.CANCELED  # all but a fill that the venue has named
    session.runner.on_fact(OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id))
    order.ending, order.is_unwanted = None, True  # its cancel was there before it
    session.runner.on_fact(OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id))
    order.status = OrderStatus.CANCELED
    session.runner.on_fact(OrderAccepted(ts=1, cl_ord_id=order.cl_ord_id))

    assert [one.is_canceling for one in seen] == [False, True, True, False]
    assert not any(one.is_amending for one in seen)


@pytest.mark.parametrize("what", ["cancel", "signal"])
def test_a_strategy_that_answers_its_own_wishes_for_ever_is_taken_off(monkeypatch, what):
    monkeypatch.setattr(attached, "WISHES_MAX", 50)

    class Echo(Strategy):
        def on_fill(self, fill: OrderFilled) -> None:
            if what == "cancel":
                self.cancel("x")
            else:
                self.signal("BUY", BTC)

    session = Session(synthetic(), {"one": Echo()}).begin()
    session.react = lambda wish: session.runner.on_fact(fill_of(order_of("one")))

    session.runner.on_fact(fill_of(order_of("one")))

    assert len(session.wishes) == 50
    assert "more than 50 wishes at one moment" in session.failed["one"]


def test_wishes_are_counted_anew_when_time_passes(monkeypatch):
    monkeypatch.setattr(attached, "WISHES_MAX", 2)

    class Steady(Strategy):
        def on_fill(self, fill: OrderFilled) -> None:
            self.cancel("x")
            self.cancel("y")

    session = Session(synthetic(), {"one": Steady()}).begin()
    for _ in range(3):
        session.runner.on_time(session.runner.now() + 1)
        session.runner.on_fact(fill_of(order_of("one")))

    assert len(session.wishes) == 6
    assert session.failed == {}


async def test_a_runner_alone_tells_the_bus_of_wishes_for_orders():
    class Maker(Strategy):
        seen: list[OrderUpdate] | None = None

        def on_fill(self, fill: OrderFilled) -> None:
            self.seen = self.ctx.orders()
            self.cancel(fill.cl_ord_id, "enough")
            self.signal("BUY", BTC)
            self.modify(fill.cl_ord_id, quantity=3)

    bus = EventBus()
    wishes, signals = list[OrderWish](), list[SignalGenerated]()
    bus.subscribe("order.wished", wishes.append)
    bus.subscribe("signal.generated", signals.append)
    runner, maker = LiveStrategyRunner(None, synthetic(), bus), Maker()
    runner.add_strategy("maker", maker)
    await runner.start()
    bus.publish("order.filled", fill_of(order := order_of("maker")))
    await runner.stop()

    assert [signal.symbol for signal in signals] == [BTC]
    cancel, modify = wishes
    assert cancel.cl_ord_id == modify.cl_ord_id == order.cl_ord_id
    assert (cancel.is_cancel, cancel.reason) == (True, "enough")
    assert (modify.is_cancel, modify.qty, modify.price) == (False, Decimal(3), None)
    assert maker.seen == []  # it knows no orders
