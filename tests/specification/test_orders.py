"""The usage examples of the specification, run as they are written: signals, orders, positions."""

# ruff: noqa: C901, G004, PLR0915, T201, TRY400 - the examples stand as they are written

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal

import pytest

from holdfast import (
    EventBus,
    InsufficientBalanceError,
    LiveBrokerAdapter,
    LiveTradingService,
    NetworkError,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    PaperBroker,
    Position,
    PositionTracker,
    PretradeRiskValidator,
    RateLimitError,
    SignalGenerated,
    SignalType,
)
from holdfast.venues import Wiring
from tests.runtime.session_desk import BTC, ScriptedFeed, config_in, running

logger = logging.getLogger("example")
KEY = ("main", BTC)


async def drained(desk):
    assert await desk.service.event_bus.drain(5)


async def test_handling_strategy_signals(tmp_path, caplog):
    """Who subscribes to signals executes them: nothing is bought twice."""
    event_bus = EventBus()
    service = LiveTradingService(config=config_in(tmp_path), event_bus=event_bus)
    validator = PretradeRiskValidator(service)
    caplog.set_level(logging.INFO, "example")

    def calculate_position_size(signal_event):
        return signal_event.quantity or Decimal("0.01")

    # Signal handler
    async def handle_signal(signal_event: SignalGenerated):
        # Pre-trade validation
        if not await validator.validate_signal(signal_event):
            logger.warning(f"Signal rejected: {signal_event}")
            return

        # Create order from signal
        order = Order(
            symbol=signal_event.symbol,
            side=OrderSide.BUY if signal_event.signal_type == SignalType.BUY else OrderSide.SELL,
            quantity=calculate_position_size(signal_event),
            order_type=OrderType.MARKET,
            strategy_id=signal_event.strategy_id,
        )

        # Execute order
        result = await service.execute_order(order)

        if result.success:
            logger.info(f"Order executed: {result.order_id}")
        else:
            logger.error(f"Order failed: {result.error}")

    # Subscribe to signals
    event_bus.subscribe("signal.generated", handle_signal)

    async with running(tmp_path, service=service) as desk:
        await desk.wish("BUY", BTC)
        await drained(desk)
        assert desk.state.position(KEY).qty == Decimal("0.01")
        (filled,) = await service.get_orders(open_only=False)
        assert filled.strategy_id == "Wisher"
        assert f"Order executed: {filled.id}" in caplog.text

        await desk.wish("BUY", BTC, quantity=100)
        await drained(desk)
        assert "Signal rejected: SignalGenerated(" in caplog.text
        assert desk.state.position(KEY).qty == Decimal("0.01")

        await desk.wish("SELL", BTC, quantity="0.01")
        await drained(desk)
        assert desk.state.position(KEY).qty == 0


async def test_without_a_handler_signals_are_executed_automatically(tmp_path):
    async with running(tmp_path) as desk:
        await desk.wish("BUY", BTC, quantity="0.01")
        assert desk.state.position(KEY).qty == Decimal("0.01")
        assert desk.open_roles() == ["STOP_LOSS", "TAKE_PROFIT"]


async def test_who_hears_everything_does_not_take_signals_over(tmp_path):
    heard = []
    service = LiveTradingService(config=config_in(tmp_path))
    service.event_bus.subscribe("*", lambda event: heard.append(type(event).__name__))
    async with running(tmp_path, service=service) as desk:
        await desk.wish("BUY", BTC, quantity="0.01")

        assert desk.state.position(KEY).qty == Decimal("0.01")
        assert "SignalGenerated" in heard


@pytest.mark.parametrize(("executes", "held"), [(True, "0.01"), (False, "0"), (None, "0")])
async def test_execution_can_be_said_outright(tmp_path, executes, held):
    heard: list[object] = []
    service = LiveTradingService(config=config_in(tmp_path))
    service.event_bus.subscribe("signal.generated", heard.append)
    start = {"execute_signals": executes}
    async with running(tmp_path, service=service, start=start) as desk:
        await desk.wish("BUY", BTC, quantity="0.01")

        assert desk.state.position(KEY).qty == Decimal(held)
        assert [type(event) for event in heard] == [SignalGenerated]


async def test_who_takes_signals_over_is_told_once(tmp_path, caplog):
    service = LiveTradingService(config=config_in(tmp_path))
    service.event_bus.subscribe("signal.generated", lambda signal: None)
    async with running(tmp_path, service=service) as desk:
        for _ in range(2):
            await desk.wish("BUY", BTC, quantity="0.01")

    told = [line for line in caplog.messages if "execute_signals=True" in line]
    assert len(told) == 1


async def test_order_management(tmp_path, capsys):
    async with running(tmp_path) as desk:
        service = desk.service
        await desk.feed.price(45_600)

        # Place order
        order = await service.place_order(
            symbol="BTCUSDT",
            side=OrderSide.BUY,
            quantity=0.01,
            order_type=OrderType.LIMIT,
            price=45000,
            time_in_force="GTC",
            stop_loss=44000,
            take_profit=46000,
        )
        assert (order.quantity, order.price) == (Decimal("0.01"), Decimal(45_000))

        # Cancel order
        await service.cancel_order(order.id)

        assert await service.get_order_status(order.id) is OrderStatus.CANCELED
        await desk.feed.price(45_600)
        order = await service.place_order(
            symbol="BTCUSDT",
            side=OrderSide.BUY,
            quantity=0.01,
            order_type=OrderType.LIMIT,
            price=45000,
            time_in_force="GTC",
            stop_loss=44000,
            take_profit=46000,
        )

        # Modify order
        await service.modify_order(
            order_id=order.id,
            new_price=45500,
            new_quantity=0.02,
        )

        # Get order status
        status = await service.get_order_status(order.id)
        print(f"Order {order.id}: {status}")

        assert capsys.readouterr().out == f"Order {order.id}: {OrderStatus.NEW}\n"
        await desk.feed.price(45_400)
        assert await service.get_order_status(order.id) is OrderStatus.FILLED
        assert desk.state.position(KEY).qty == Decimal("0.02")
        stop, target = await service.get_orders()
        assert (stop.trigger_price, stop.quantity) == (44_000, Decimal("0.02"))
        assert (target.trigger_price, target.quantity) == (46_000, Decimal("0.02"))


async def test_position_management(tmp_path, capsys):
    async with running(tmp_path, initial_balance=100_000) as desk:
        service = desk.service
        await service.place_order("BTCUSDT", "BUY", "0.01")
        await desk.feed.price(45_451)

        # Get current positions
        positions = await service.get_positions()
        for position in positions:
            print(f"{position.symbol}: {position.quantity} @ {position.entry_price}")
            print(f"  P&L: ${position.unrealized_pnl:.2f}")
            print(f"  ROI: {position.roi_percentage:.2f}%")

        assert capsys.readouterr().out.splitlines() == [
            "BTCUSDT: 0.01 @ 45000.1",
            "  P&L: $4.51",
            "  ROI: 5.01%",  # a hundredth of the price, at a leverage of five
        ]

        # Close position
        await service.close_position(
            symbol="BTCUSDT",
            reason="Manual close",
        )
        assert await service.get_positions() == []

        # Adjust position
        await service.adjust_position(
            symbol="BTCUSDT",
            target_quantity=0.05,  # Scale to new size
        )
        assert [p.quantity for p in await service.get_positions()] == [Decimal("0.05")]


async def test_order_updates(tmp_path):
    seen = []

    async def on_order_filled(order_id, update):
        seen.append(("filled", order_id, update["executedQty"]))

    async def on_order_partial_fill(order_id, update):
        seen.append(("partial", order_id, update["executedQty"]))

    async def on_order_canceled(order_id, update):
        seen.append(("canceled", order_id, update["executedQty"]))

    async def on_order_rejected(order_id, update):
        seen.append(("rejected", order_id, update["reason"]))

    # WebSocket order stream handler
    async def handle_order_update(update):
        order_id = update["orderId"]
        status = update["status"]

        if status == "FILLED":
            await on_order_filled(order_id, update)
        elif status == "PARTIALLY_FILLED":
            await on_order_partial_fill(order_id, update)
        elif status == "CANCELED":
            await on_order_canceled(order_id, update)
        elif status == "REJECTED":
            await on_order_rejected(order_id, update)

    settings = config_in(tmp_path, disabled=["position_size", "leverage", "margin"])
    service = LiveTradingService(config=settings)
    ws_client = service.event_bus

    # Subscribe to order updates
    ws_client.subscribe("order_update", handle_order_update)

    async with running(tmp_path, service=service) as desk:
        filled = await service.place_order(BTC, "BUY", "0.01")
        part = await service.place_order(BTC, "BUY", "0.1", "LIMIT", 44_000)
        await desk.feed.say(_print(desk.feed, 43_990, 0.04), _print(desk.feed, 44_500, 1))
        await service.cancel_order(part.id)
        rejected = Order(BTC, OrderSide.BUY, "5.5")
        assert not (await service.execute_order(rejected)).success
        await drained(desk)

        assert [line for line in seen if line[1] == filled.id] == [
            ("filled", filled.id, Decimal("0.01"))
        ]
        assert [line for line in seen if line[1] == part.id] == [
            ("partial", part.id, Decimal("0.04")),
            ("canceled", part.id, Decimal("0.04")),
        ]
        (last,) = [line for line in seen if line[0] == "rejected"]
        assert last[2]


def _print(feed, price, qty):
    from holdfast.model.market import Trade

    feed.now += 200_000_000
    return Trade(symbol=BTC, ts=feed.now, price=float(price), qty=float(qty))


async def test_position_updates(tmp_path):
    emergencies = []
    lax = ["position_size", "leverage", "margin", "daily_loss", "order_notional"]
    service = LiveTradingService(config=config_in(tmp_path, leverage=20, disabled=lax))
    position_tracker = PositionTracker(service)

    def tracked() -> Position:
        position = position_tracker.get(BTC)
        assert position is not None
        return position

    async def emergency_close(position):
        emergencies.append(position)
        await service.close_position(position.symbol, "liquidation risk")

    # Real-time position tracking
    async def handle_position_update(update):
        position = Position(
            symbol=update["symbol"],
            quantity=update["positionAmt"],
            entry_price=update["entryPrice"],
            mark_price=update["markPrice"],
            unrealized_pnl=update["unRealizedProfit"],
        )

        await position_tracker.update(position)

        # Check for liquidation risk
        if position.margin_ratio > 0.8:
            await emergency_close(position)

    service.event_bus.subscribe("position_update", handle_position_update)
    async with running(tmp_path, service=service) as desk:
        await service.place_order(BTC, "BUY", "3.9")  # 17.5 times what there is
        await drained(desk)
        assert tracked().quantity == Decimal("3.9")
        await desk.feed.price(44_900)
        await desk.feed.price(44_900)
        await drained(desk)
        assert tracked().mark_price == 44_900
        assert 0 < tracked().margin_ratio < Decimal("0.2")
        assert emergencies == []

        # The price falls within one second of the engine's own watch, and a part is sold.
        await desk.feed.price(42_630, seconds=0.3)
        await service.place_order(BTC, "SELL", "0.01", reduce_only=True)
        await drained(desk)

        assert [position.symbol for position in emergencies] == [BTC]
        assert Decimal("0.8") < emergencies[0].margin_ratio < 1
        assert await service.get_positions() == []
        assert position_tracker.get(BTC) is None


async def test_error_handling_patterns(tmp_path, caplog):
    """Each branch of the example is entered by a real failure, and leads to a filled order."""
    caplog.set_level(logging.WARNING, "example")
    throttle = {"max_messages": 4, "message_reserve": 2, "message_window_s": 1}
    feed = ScriptedFeed()
    roads = [NetworkError("connection refused")]
    paper = PaperBroker()

    def over_a_bad_road(wiring: Wiring):
        if roads:
            raise roads.pop()
        return paper.open(wiring)

    broker = LiveBrokerAdapter(over_a_bad_road)
    service = LiveTradingService(config=config_in(tmp_path, dry_run=False, **throttle))
    service.set_broker(broker)
    symbols, done = [BTC], []

    async def reduce_position_size(order):
        done.append(await broker.place_order(Order(order.symbol, order.side, "0.01")))

    async def retry_order(order):
        await feed.pass_time(2)  # the session's time is its feed's
        done.append(await broker.place_order(order))

    async def reconnect_and_retry():
        await service.start_session(strategies=[], symbols=symbols, feed=feed)
        await feed.prices()

    async def trade(order):
        try:
            if not service.is_running():
                await service.start_session(strategies=[], symbols=symbols, feed=feed)
            result = await broker.place_order(order)
            done.append(result)
        except InsufficientBalanceError:
            logger.error("Insufficient balance for order")
            await reduce_position_size(order)
        except RateLimitError as e:
            logger.warning(f"Rate limited, waiting {e.retry_after}s")
            await asyncio.sleep(e.retry_after)
            await retry_order(order)
        except NetworkError:
            logger.error("Network error, attempting recovery")
            await reconnect_and_retry()

    await trade(Order(BTC, OrderSide.BUY, "0.004"))
    assert service.is_running()
    await trade(Order(BTC, OrderSide.BUY, "100"))
    await trade(Order(BTC, OrderSide.SELL, "0.004"))
    await trade(Order(BTC, OrderSide.BUY, "0.004"))
    await service.stop()

    assert [record.getMessage() for record in caplog.records if record.name == "example"] == [
        "Network error, attempting recovery",
        "Insufficient balance for order",
        "Rate limited, waiting 1.0s",
    ]
    assert [result.success for result in done] == [True] * 3
    assert done[0].order is not None
    assert done[0].order.filled_quantity == Decimal("0.01")


async def test_debugging_an_order(tmp_path, capsys):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01", "LIMIT", 44_000)

        # Debug order placement
        order.debug_info()
        print(f"Symbol: {order.symbol}")
        print(f"Side: {order.side}")
        print(f"Quantity: {order.quantity}")
        print(f"Price: {order.price}")
        print(f"Margin Required: {order.margin_required}")

    assert capsys.readouterr().out.splitlines() == [
        "Symbol: BTCUSDT",
        f"Side: {OrderSide.BUY}",
        "Quantity: 0.01",
        "Price: 44000",
        "Margin Required: 88.00",
    ]
