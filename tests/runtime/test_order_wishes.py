"""Strategies that take back, amend and list their own orders in sessions on a market of a test's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast import LiveTradingService, Order, OrderStatus, OrderType, Side
from holdfast.model import events as ev
from holdfast.model.order_wish import OrderWish
from holdfast.model.values import OrderRole
from holdfast.runtime.wholes import wholes
from tests.runtime.session_desk import (
    BTC,
    ETH,
    PRICES,
    ScriptedFeed,
    Wisher,
    books_agree,
    config_in,
    crash_image,
    running,
)

BID = {"order_type": "LIMIT", "price": "44000", "stop_loss": 0, "take_profit": 0}


class Maker(Wisher):
    """Does what it is told, on the next trade, in the order of the telling."""

    def __init__(self, account=""):
        super().__init__()
        self.account = account
        self.deeds: list = []

    def on_trade(self, trade):
        deeds, self.deeds = self.deeds, []
        for deed in deeds:
            deed(self)


async def does(desk, *deeds, maker=None):
    (maker or desk.maker).deeds += deeds
    await desk.feed.price(PRICES[BTC])


def bid(one, quantity="0.01", **given):
    one.signal("BUY", given.pop("symbol", BTC), quantity, **{**BID, **given})


def resting(one, symbol=None):
    return [(o.symbol, o.qty, o.price) for o in one.ctx.orders(symbol)]


async def test_a_strategy_places_lists_amends_and_takes_back(tmp_path):
    maker = Maker()
    async with running(tmp_path, strategies=[maker]) as desk:
        desk.maker = maker
        await does(desk, bid)
        [order] = maker.ctx.orders()
        assert (order.qty, order.price, order.status) == (
            Decimal("0.01"),
            Decimal(44_000),
            OrderStatus.NEW,
        )

        await does(desk, lambda one: one.modify(order.cl_ord_id, 44_100.04, "0.02"))
        assert resting(maker) == [(BTC, Decimal("0.02"), Decimal("44100.0"))]
        [at_venue] = await desk.service.get_orders()
        assert (at_venue.id, at_venue.price) == (order.cl_ord_id, Decimal("44100.0"))

        await does(desk, lambda one: one.cancel(order.cl_ord_id, "enough"))
        assert maker.ctx.orders() == []
        assert await desk.service.get_orders() == []
        assert maker.orders[-1].status is OrderStatus.CANCELED
        service = desk.service
    assert books_agree(service)


async def test_a_cancel_that_was_said_before_a_signal_is_carried_out_before_it(tmp_path):
    maker = Maker()
    async with running(tmp_path, strategies=[maker]) as desk:
        desk.maker = maker
        await does(desk, bid)
        [first] = maker.ctx.orders()

        def requote(one):
            one.cancel(first.cl_ord_id)
            bid(one, price="44200")

        told: list[ev.Event] = []
        desk.service.live.shell.listeners.append(told.extend)
        await does(desk, requote)

        kinds = (ev.CancelRequested, ev.SignalReceived, ev.OrderSubmitted)
        assert tuple(type(fact) for fact in told if isinstance(fact, kinds)) == kinds
        assert [price for _, _, price in resting(maker)] == [Decimal(44_200)]


async def test_a_refused_amendment_is_heard_and_leaves_the_order(tmp_path):
    maker = Maker()
    async with running(tmp_path, strategies=[maker]) as desk:
        desk.maker = maker
        await does(desk, bid)
        [order] = maker.ctx.orders()
        await does(desk, lambda one: one.modify(order.cl_ord_id, quantity=50))

        assert maker.orders[-1].reason.startswith("position_size: ")
        assert maker.orders[-1].status is OrderStatus.NEW
        assert resting(maker) == [(BTC, Decimal("0.01"), Decimal(44_000))]


async def test_what_is_not_its_own_stays_and_the_session_goes_on(tmp_path, caplog):
    caplog.set_level("INFO")
    maker = Maker()
    async with running(tmp_path, strategies=[maker], take_profit_pct="0") as desk:
        desk.maker = maker
        by_hand = await desk.service.place_order(BTC, "BUY", "0.01", "LIMIT", 44_000)
        await does(desk, lambda one: one.signal("BUY", BTC, "0.01"))
        [stop] = [o for o in desk.state.all_open_orders() if o.role is OrderRole.STOP_LOSS]

        await does(
            desk,
            lambda one: one.cancel(by_hand.id),
            lambda one: one.cancel(stop.cl_ord_id),
            lambda one: one.modify("hf.nobody", 1),
        )

        assert maker.ctx.orders() == []
        assert {order.id for order in await desk.service.get_orders()} == {
            by_hand.id,
            stop.cl_ord_id,
        }
        lines = [line for line in caplog.messages if "Maker may not" in line]
        assert [line.rpartition(": ")[2] for line in lines] == [
            "the order is not its own",
            f"the order is a {stop.role.value}",
            "no such order is known",
        ]
        assert desk.status.value == "RUNNING"


async def test_orders_are_listed_oldest_first_and_by_symbol(tmp_path):
    maker = Maker()
    feed = ScriptedFeed((BTC, ETH))
    async with running(tmp_path, strategies=[maker], feed=feed, disabled="correlation") as desk:
        desk.maker = maker
        await does(desk, lambda one: bid(one, "0.1", symbol=ETH, price="2400"))
        await does(desk, bid)
        await does(desk, lambda one: bid(one, "0.2", symbol=ETH, price="2390"))

        assert resting(maker) == [
            (ETH, Decimal("0.1"), Decimal(2400)),
            (BTC, Decimal("0.01"), Decimal(44_000)),
            (ETH, Decimal("0.2"), Decimal(2390)),
        ]
        assert resting(maker, BTC) == [(BTC, Decimal("0.01"), Decimal(44_000))]
        assert [price for _, _, price in resting(maker, ETH)] == [Decimal(2400), Decimal(2390)]


async def test_stops_and_others_orders_are_not_listed(tmp_path):
    maker, other = Maker(), Wisher()
    async with running(tmp_path, strategies=[maker, other]) as desk:
        desk.maker = maker
        await desk.service.place_order(BTC, "BUY", "0.003", "LIMIT", 44_000)
        other.wish("BUY", BTC, "0.003", **BID)
        await does(desk, lambda one: one.signal("BUY", BTC, "0.003"))

        assert maker.ctx.orders() == []
        assert len(other.ctx.orders()) == 1
        assert len(await desk.service.get_orders()) == 4  # a stop and a target too


async def test_a_strategy_finds_its_orders_again_after_a_crash(tmp_path):
    maker = Maker()
    async with running(tmp_path / "a", strategies=[maker]) as desk:
        desk.maker = maker
        await does(desk, bid)
        [order] = maker.ctx.orders()
        image = crash_image(tmp_path / "a", tmp_path / "image")
        again = Maker()
        async with running(image, strategies=[again], feed=desk.feed.again()) as after:
            after.maker = again
            assert [one.cl_ord_id for one in again.ctx.orders()] == [order.cl_ord_id]

            await does(after, lambda one: one.cancel(order.cl_ord_id))

            assert again.ctx.orders() == []
            assert await after.service.get_orders() == []


async def test_a_strategy_reaches_the_orders_of_its_own_account(tmp_path):
    first, second = Maker(), Maker("second")
    feed = ScriptedFeed((BTC,))
    accounts = {"second": {"initial_balance": "10000"}}
    settings = {"accounts": accounts, "disabled": "correlation"}
    async with running(tmp_path, strategies=[first, second], feed=feed, **settings) as desk:
        first.deeds.append(bid)
        await does(desk, bid, maker=second)
        [order] = second.ctx.orders()
        assert len(first.ctx.orders()) == 1

        await does(desk, lambda one: one.cancel(order.cl_ord_id), maker=first)
        assert len(second.ctx.orders()) == 1
        await does(desk, lambda one: one.modify(order.cl_ord_id, 43_900), maker=second)
        assert resting(second) == [(BTC, Decimal("0.01"), Decimal(43_900))]
        await does(desk, lambda one: one.cancel(order.cl_ord_id), maker=second)

        assert second.ctx.orders() == []
        assert len(first.ctx.orders()) == 1
        named = Order(BTC, Side.BUY, "0.01", OrderType.LIMIT, 44_000, first.ctx.strategy_id)
        named.account = "second"
        assert (await desk.service.execute_order(named)).order_id
        assert len(first.ctx.orders(BTC)) == len(first.ctx.orders()) == 1


@pytest.mark.parametrize(
    ("executes", "topic", "left"),
    [
        (None, "signal.generated", False),
        (None, "order.wished", True),
        (True, "order.wished", False),
        (False, "order.wished", True),
    ],
)
async def test_wishes_for_orders_are_left_to_who_subscribes_to_them(
    tmp_path, executes, topic, left
):
    maker, heard = Maker(), list[object]()
    service = LiveTradingService(config=config_in(tmp_path))
    service.event_bus.subscribe(topic, heard.append)
    start = {"execute_signals": executes}
    async with running(tmp_path, service=service, strategies=[maker], start=start) as desk:
        desk.maker = maker
        order = await service.execute_order(
            Order(BTC, Side.BUY, "0.01", OrderType.LIMIT, 44_000, strategy_id="Maker")
        )
        assert [one.cl_ord_id for one in maker.ctx.orders()] == [order.order_id]

        await does(desk, lambda one: one.cancel(order.order_id))

        assert len(maker.ctx.orders()) == left
        wished = [one.cl_ord_id for one in heard if isinstance(one, OrderWish)]
        assert wished == ([order.order_id] if topic == "order.wished" else [])


async def test_a_strategy_sees_what_goes_on_in_parts_and_ends_it(tmp_path):
    maker, other = Maker(), Maker()
    async with running(tmp_path, strategies=[maker, other]) as desk:
        algo = {"algo": "twap:over=20s,slices=2", "stop_loss": 0, "take_profit": 0}
        await does(desk, lambda one: one.signal("BUY", BTC, "0.02", **algo), maker=maker)
        await does(desk, maker=maker)
        [whole] = maker.ctx.parts()
        assert (maker.ctx.orders(), other.ctx.parts(), maker.ctx.parts(ETH)) == ([], [], [])
        shown = (whole.symbol, whole.side, whole.status, whole.qty, whole.cum_qty, whole.price)
        half, part = OrderStatus.PARTIALLY_FILLED, Decimal("0.01")
        assert shown == (BTC, Side.BUY, half, 2 * part, part, None)

        await does(desk, lambda one: one.cancel(whole.cl_ord_id, "seen enough"), maker=maker)
        await desk.feed.pass_time(30)

        assert maker.ctx.parts(BTC) == []
        assert maker.ctx.position(BTC) == part


async def test_what_goes_on_in_parts_is_shown_at_the_price_that_its_next_part_has(tmp_path):
    maker = Maker()
    async with running(tmp_path, strategies=[maker]) as desk:
        desk.maker = maker
        await does(desk, lambda one: bid(one, "0.02", algo="iceberg:show=0.01"))
        [part] = maker.ctx.orders()
        await does(desk, lambda one: one.modify(part.cl_ord_id, 44_100))

        [whole] = maker.ctx.parts()
        [listed] = wholes(desk.service.live.engine.state)
        assert [whole.price, listed.price] == [44_100, 44_100]
