"""What those outside are told: the bus, repositories, the trade log."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from holdfast import EventBus, LiveTradingService, Metrics, Order, OrderStatus, Position, RiskDenied
from holdfast.model import events as ev
from holdfast.model.values import ZERO, ClOrdId, Side, TradeId
from holdfast.runtime.publishing import TOPICS, log_trade
from tests.runtime.session_desk import BTC, books_agree, config_in, crash_image, running


class Repository:
    def __init__(self):
        self.saved = []

    def save(self, entity):
        self.saved.append(entity)


class AsyncRepository(Repository):
    async def save(self, entity):
        self.saved.append(entity)


class BrokenRepository(Repository):
    def save(self, entity):
        self.saved.append(entity)
        raise ConnectionError("the database is gone")


class BrokenAsyncRepository(Repository):
    async def save(self, entity):
        self.saved.append(entity)
        raise ConnectionError("the database is gone")


@pytest.mark.parametrize(
    "kind", [Repository, AsyncRepository, BrokenRepository, BrokenAsyncRepository]
)
async def test_repositories_are_given_what_changed_and_can_disturb_nothing(tmp_path, kind):
    portfolios, orders, positions = kind(), kind(), kind()
    service = LiveTradingService(
        portfolio_repository=portfolios,
        order_repository=orders,
        position_repository=positions,
        config=config_in(tmp_path),
    )
    async with running(tmp_path, service=service) as desk:
        order = await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await service.close_position(BTC)
        await service.stop()

        assert books_agree(desk.service)
        own = [saved for saved in orders.saved if saved.id == order.id]
        assert all(isinstance(saved, Order) for saved in orders.saved)
        assert own[0].status is OrderStatus.PENDING_NEW
        assert own[-1].status is OrderStatus.FILLED
        assert [(type(p), p.quantity) for p in positions.saved] == [
            (Position, Decimal("0.01")),
            (Position, Decimal(0)),
        ]
        assert all(isinstance(saved, Metrics) for saved in portfolios.saved)
        assert portfolios.saved[-1].position_count == 0
        assert service.event_bus.errors == (
            len(orders.saved + positions.saved + portfolios.saved)
            if "Broken" in kind.__name__
            else 0
        )


async def test_a_refused_order_is_told_of_too(tmp_path):
    orders = Repository()
    service = LiveTradingService(order_repository=orders, config=config_in(tmp_path))
    async with running(tmp_path, service=service):
        with pytest.raises(RiskDenied):
            await service.place_order(BTC, "BUY", "0.1")

    assert [saved.status for saved in orders.saved] == [OrderStatus.DENIED]
    assert "position_size" in orders.saved[0].reason


async def test_what_is_found_missing_at_the_start_is_told_of(tmp_path):
    """Fills that came while nobody listened change orders and positions like any other."""
    from holdfast.model.market import Trade

    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        desk.service.live.venue._hear = lambda message: None
        desk.feed.now += 5_000_000_000
        desk.service.live.venue.on_market(
            Trade(symbol=BTC, ts=desk.feed.now, price=43_000.0, qty=9.0)
        )
        image = crash_image(tmp_path / "a", tmp_path / "b")
        desk.service.live.venue._hear = desk.service.live.shell.hear

    orders = Repository()
    fills: list[ev.OrderFilled] = []
    service = LiveTradingService(order_repository=orders, config=config_in(image))
    service.event_bus.subscribe("order.filled", fills.append)
    async with running(image, service=service, feed=desk.feed.again()):
        assert [fill.qty for fill in fills] == [Decimal("0.01")]
        assert OrderStatus.FILLED in {order.status for order in orders.saved}


@pytest.mark.parametrize("logs", [True, False])
async def test_trades_are_logged_where_the_settings_say_so(tmp_path, caplog, logs):
    with caplog.at_level("INFO", "holdfast.trades"):
        async with running(tmp_path, log_trades=logs) as desk:
            order = await desk.service.place_order(BTC, "BUY", "0.01")
            await desk.service.close_position(BTC)

    lines = [r.getMessage() for r in caplog.records if r.name == "holdfast.trades"]
    if not logs:
        assert lines == []
        return
    assert len(lines) == 2
    assert lines[0].startswith("BUY 0.01 BTCUSDT @ 45000.1 fee ")
    assert lines[0].endswith(f"order {order.id}")
    assert lines[1].startswith("SELL 0.01 BTCUSDT @ 44999.9 fee ")


def test_a_logged_trade_names_what_its_fee_was_paid_in(caplog):
    paid: dict[str, Any] = {
        "fee": Decimal("0.00008000"),
        "fee_asset": "BNB",
        "realized_pnl": ZERO,
    }
    at: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.BUY,
        "cl_ord_id": ClOrdId("1"),
        "trade_id": TradeId("7"),
    }
    fill = ev.OrderFilled(ts=1, venue_ts=1, qty=Decimal(1), price=Decimal(100), **at, **paid)

    with caplog.at_level("INFO", "holdfast.trades"):
        log_trade(fill)

    assert " @ 100 fee 0.00008 BNB realized 0 " in caplog.text


async def test_facts_are_told_under_their_topics(tmp_path):
    bus = EventBus()
    heard: list[tuple[type, type]] = []
    for kind, topic in TOPICS.items():
        bus.subscribe(topic, partial(lambda kind, fact: heard.append((kind, type(fact))), kind))
    service = LiveTradingService(config=config_in(tmp_path), event_bus=bus)
    async with running(tmp_path, service=service) as desk:
        await desk.wish("BUY", BTC, quantity="0.01")
        await desk.wish("SELL", "NOPEUSDT")
        await desk.wish("BUY", BTC, quantity=5)
        await service.kill("out")
        await service.release("Ann")

    assert {kind for kind, _ in heard} >= {
        ev.SignalReceived,
        ev.SignalDenied,
        ev.OrderSubmitted,
        ev.OrderAccepted,
        ev.OrderFilled,
        ev.OrderDenied,
        ev.SessionChanged,
        ev.StrategyStarted,
        ev.KillSwitchEngaged,
        ev.KillSwitchReleased,
        ev.EquitySampled,
    }
    assert all(kind is told for kind, told in heard)


async def test_an_order_update_has_the_venue_s_field_names(tmp_path):
    updates: list[dict[str, object]] = []
    service = LiveTradingService(config=config_in(tmp_path))
    service.event_bus.subscribe("order_update", updates.append)
    async with running(tmp_path, service=service):
        order = await service.place_order(BTC, "BUY", "0.01")

    assert [update["status"] for update in updates] == ["PENDING_NEW", "FILLED"] or [
        update["status"] for update in updates
    ] == ["PENDING_NEW", "NEW", "FILLED"]
    assert updates[-1] == {
        "orderId": order.id,
        "clientOrderId": order.id,
        "account": "main",
        "symbol": BTC,
        "side": "BUY",
        "type": "MARKET",
        "status": "FILLED",
        "price": None,
        "stopPrice": None,
        "reduceOnly": False,
        "origQty": Decimal("0.01"),
        "executedQty": Decimal("0.01"),
        "avgPrice": Decimal("45000.1"),
        "reason": "",
    }


async def test_open_positions_are_told_of_at_the_market_s_new_prices(tmp_path):
    updates: list[dict[str, object]] = []
    service = LiveTradingService(config=config_in(tmp_path))
    async with running(tmp_path, service=service) as desk:
        await service.place_order(BTC, "BUY", "0.01")
        service.event_bus.subscribe("position_update", updates.append)
        for price in (45_100, 45_200, 45_300):
            await desk.feed.price(price)

    assert [update["markPrice"] for update in updates][:3] == [45_000, 45_100, 45_200]
    assert set(updates[0]) == {
        "account",
        "symbol",
        "positionAmt",
        "entryPrice",
        "markPrice",
        "unRealizedProfit",
    }


async def test_updates_and_figures_name_their_account(tmp_path):
    heard: dict[str, list[dict[str, object]]] = {"order_update": [], "position_update": []}
    figures: list[Metrics] = []
    config = config_in(tmp_path, accounts={"second": {"initial_balance": 10_000}})
    service = LiveTradingService(config=config)
    for topic, updates in heard.items():
        service.event_bus.subscribe(topic, updates.append)
    service.event_bus.subscribe("portfolio.changed", figures.append)
    async with running(tmp_path, service=service):
        await service.place_order(BTC, "BUY", "0.01", account="second")

    assert {update["account"] for update in heard["order_update"]} == {"second"}
    assert {update["account"] for update in heard["position_update"]} == {"second"}
    assert {each.account for each in figures} == {"main", "second"}
