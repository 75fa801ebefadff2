"""The usage examples of the specification, run as they are written: sessions and their figures.

What an example leaves to its reader is at the top of each test; the example follows, its imports
from `holdfast`.
"""

# ruff: noqa: T201 - the examples stand as they are written

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from holdfast import (
    EventBus,
    LiveTradingService,
    OrderSide,
    PaperBroker,
    TradingConfig,
    TradingSessionStatus,
)
from tests.runtime.session_desk import BTC, ScriptedFeed, running


class Repository:
    """Keeps what it is given; anything with `save` will do."""

    def __init__(self):
        self.saved = []

    def save(self, entity):
        self.saved.append(entity)


async def test_starting_live_trading(tmp_path, capsys):
    portfolio_repo, order_repo, position_repo = Repository(), Repository(), Repository()
    event_bus = EventBus()
    trading_config = config = TradingConfig(
        api_key="key", api_secret="secret", data_dir=tmp_path
    )  # at the pace of a clock: its strategies trade by bars of a minute, and not before we do
    portfolio_id = uuid4()
    assert (config.api_key, config.api_secret, config.use_testnet) == ("key", "secret", True)

    # Initialize service
    service = LiveTradingService(
        portfolio_repository=portfolio_repo,
        order_repository=order_repo,
        position_repository=position_repo,
        event_bus=event_bus,
        config=trading_config,
    )

    # Configure broker
    broker = PaperBroker()
    service.set_broker(broker)

    # Start trading session
    session = await service.start_session(
        portfolio_id=portfolio_id,
        strategies=["sma_cross", "macd_momentum"],
        symbols=["BTCUSDT", "ETHUSDT"],
        dry_run=False,  # Set True for paper trading
    )

    print(f"Session started: {session.id}")

    assert capsys.readouterr().out == f"Session started: {session.id}\n"
    assert isinstance(session.id, UUID)
    assert session.portfolio_id == portfolio_id
    assert session.status is TradingSessionStatus.RUNNING
    assert session.strategies == ("sma_cross", "macd_momentum")
    assert session.symbols == ("BTCUSDT", "ETHUSDT")
    market = service.live.engine.core.market
    async with asyncio.timeout(10):
        while not market.of(BTC).bid:  # noqa: ASYNC110 - history has shown bars alone
            await asyncio.sleep(0.01)
    order = await service.place_order("BTCUSDT", OrderSide.BUY, "0.01")
    assert [o.id for o in await broker.get_open_orders()] == []
    assert [p.quantity for p in await broker.get_positions()] == [order.filled_quantity]
    ended = await service.stop()
    assert ended.status is TradingSessionStatus.STOPPED
    assert order.id in {saved.id for saved in order_repo.saved}
    assert position_repo.saved[0].symbol == "BTCUSDT"
    assert portfolio_repo.saved[-1].position_count == 1


async def test_a_trading_session_has_the_fields_of_the_listing(tmp_path):
    async with running(tmp_path) as desk:
        session = desk.service.session()

    for name in (
        "id",
        "portfolio_id",
        "status",
        "started_at",
        "stopped_at",
        "total_trades",
        "winning_trades",
        "losing_trades",
        "total_pnl",
        "max_drawdown",
    ):
        assert hasattr(session, name)
    assert {status.name for status in TradingSessionStatus} == {
        "STOPPED",
        "STARTING",
        "RUNNING",
        "PAUSED",
        "STOPPING",
        "ERROR",
    }


async def test_session_statistics(tmp_path, capsys):
    async with running(tmp_path) as desk:
        service = desk.service
        for close_at in (45_500, 44_800):
            await service.place_order("BTCUSDT", "BUY", "0.01")
            await desk.feed.price(close_at)
            await service.close_position("BTCUSDT")
            await desk.feed.price(45_000)

        # Get session statistics
        stats = await service.get_session_stats()

        print(f"Session Duration: {stats.duration}")
        print(f"Total Trades: {stats.total_trades}")
        print(f"Win Rate: {stats.win_rate:.2%}")
        print(f"Profit Factor: {stats.profit_factor:.2f}")
        print(f"Total P&L: ${stats.total_pnl:.2f}")
        print(f"Max Drawdown: {stats.max_drawdown:.2%}")
        print(f"Sharpe Ratio: {stats.sharpe_ratio:.2f}")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Session Duration: 0:00:0")
    assert lines[1:3] == ["Total Trades: 2", "Win Rate: 50.00%"]
    assert float(lines[3].split()[-1]) > 1
    assert lines[4] == f"Total P&L: ${stats.total_pnl:.2f}"
    assert stats.total_pnl > 2


async def test_real_time_monitoring(tmp_path, capsys, monkeypatch):
    async with running(tmp_path) as desk:
        service = desk.service
        await service.place_order("BTCUSDT", "BUY", "0.01")
        await desk.feed.price(45_100)
        sleep = asyncio.sleep

        async def a_minute_passes(seconds):
            await (service.stop() if seconds == 60 else sleep(seconds))

        monkeypatch.setattr(asyncio, "sleep", a_minute_passes)

        # Monitor live performance
        async def monitor_performance():
            while service.is_running():
                metrics = await service.get_metrics()

                print(f"Open Positions: {metrics.position_count}")
                print(f"Total Exposure: ${metrics.total_exposure:.2f}")
                print(f"Unrealized P&L: ${metrics.unrealized_pnl:.2f}")
                print(f"Daily P&L: ${metrics.daily_pnl:.2f}")

                await asyncio.sleep(60)  # Update every minute

        await monitor_performance()

    assert capsys.readouterr().out.splitlines() == [
        "Open Positions: 1",
        "Total Exposure: $451.00",
        "Unrealized P&L: $1.00",
        "Daily P&L: $0.77",
    ]


async def test_paper_trading(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)

    # Enable paper trading for testing
    config = TradingConfig(
        dry_run=True,  # No real orders
        testnet=True,  # Use testnet data
        log_trades=True,  # Log simulated trades
    )

    service = LiveTradingService(config=config)

    with caplog.at_level("INFO", "holdfast.trades"):
        async with running(tmp_path, service=service) as desk:
            await desk.service.place_order("BTCUSDT", "BUY", "0.01")
    assert "BUY 0.01 BTCUSDT @ 45000.1" in caplog.text


async def test_profiling_an_order(tmp_path):
    from holdfast import Order, OrderType

    async with running(tmp_path) as desk:
        service = desk.service
        order = Order(
            symbol="BTCUSDT", side=OrderSide.BUY, quantity=0.01, order_type=OrderType.MARKET
        )

        # Profile execution time
        import time

        start = time.time()
        await service.execute_order(order)
        execution_time = time.time() - start

        assert execution_time < 1.0


async def test_a_broker_cannot_be_changed_under_a_running_session(tmp_path):
    from holdfast import SessionStateError

    async with running(tmp_path, feed=ScriptedFeed()) as desk:
        with pytest.raises(SessionStateError, match="stop the session"):
            desk.service.set_broker(PaperBroker())
