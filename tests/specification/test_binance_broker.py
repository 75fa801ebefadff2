"""The usage examples that name BinanceFuturesBroker, run as they are written.

What the testnet is to them is an exchange of two contracts on a port; nothing else is changed.
"""

# ruff: noqa: T201 - the examples stand as they are written

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal
from uuid import uuid4

import pytest

from holdfast import (
    BinanceFuturesBroker,
    EventBus,
    InsufficientBalanceError,
    LiveTradingService,
    NetworkError,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    RateLimitError,
    TradingConfig,
    TradingSessionStatus,
)
from holdfast.venues.binance_futures import settings as binance_settings
from tests.cli.desk import environment
from tests.runtime.session_desk import BTC

PATIENCE_S = 30


@pytest.fixture
def testnet(monkeypatch):
    words = ["exchange", "--symbols", "BTCUSDT,ETHUSDT", "--seed", "7", "--account", "key:secret"]
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        where = binance_settings.Endpoints(
            rest_url=ready["rest"], stream_url=ready["streams"], ws_api_url=ready["ws_api"]
        )
        monkeypatch.setattr(binance_settings, "TESTNET", where)
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
            await asyncio.sleep(0.02)


async def test_live_trading_as_the_examples_have_it(tmp_path, capsys, testnet):  # noqa: PLR0915
    event_bus = EventBus()
    trading_config = config = TradingConfig(api_key="key", api_secret="secret", data_dir=tmp_path)
    portfolio_id = uuid4()

    # Initialize service
    service = LiveTradingService(event_bus=event_bus, config=trading_config)

    # Configure broker
    broker = BinanceFuturesBroker(
        api_key=config.api_key, api_secret=config.api_secret, testnet=config.use_testnet
    )
    service.set_broker(broker)

    # Start trading session
    session = await service.start_session(
        portfolio_id=portfolio_id,
        strategies=["sma_cross", "macd_momentum"],
        symbols=["BTCUSDT", "ETHUSDT"],
        dry_run=False,  # Set True for paper trading
    )

    print(f"Session started: {session.id}")

    assert session.status is TradingSessionStatus.RUNNING
    assert service.live.venue.name == service.live.feed.name == "binance_futures"
    market = service.live.engine.core.market
    await until(lambda: market.of(BTC).bid)
    last = float(market.price(BTC) or 0)

    # Place order
    order = await service.place_order(
        symbol="BTCUSDT",
        side=OrderSide.BUY,
        quantity=0.01,
        order_type=OrderType.LIMIT,
        price=round(last * 0.98, 1),
        time_in_force="GTC",
        stop_loss=round(last * 0.96, 1),
        take_profit=round(last * 1.05, 1),
    )

    # Sync with exchange
    exchange_orders = await broker.get_open_orders()
    assert [each.id for each in exchange_orders] == [order.id]

    # Modify order
    new_price = round(last * 0.97, 1)
    await service.modify_order(order_id=order.id, new_price=new_price, new_quantity=0.012)
    await until(lambda: float(service.operations.order(order.id).price or 0) == new_price)

    # Cancel order
    await service.cancel_order(order.id)

    # Get order status
    status = await service.get_order_status(order.id)
    print(f"Order {order.id}: {status}")
    await until(lambda: service.operations.order(order.id).status is OrderStatus.CANCELED)

    # A position, its figures, its new size, its end
    await service.place_order("BTCUSDT", OrderSide.BUY, 0.01)
    await until(service.operations.positions)
    positions = await service.get_positions()
    for position in positions:
        print(f"{position.symbol}: {position.quantity} @ {position.entry_price}")
        print(f"  P&L: ${position.unrealized_pnl:.2f}")
        print(f"  ROI: {position.roi_percentage:.2f}%")
    assert [position.symbol for position in positions] == ["BTCUSDT"]
    await service.adjust_position(symbol="BTCUSDT", target_quantity=0.005)
    await until(lambda: service.operations.positions()[0].quantity == Decimal("0.005"))
    exchange_positions = await broker.get_positions()
    assert [float(position.quantity) for position in exchange_positions] == [0.005]
    await service.close_position(symbol="BTCUSDT", reason="Manual close")
    await until(lambda: not service.operations.positions())

    # What goes wrong
    try:
        await broker.place_order(Order("BTCUSDT", OrderSide.BUY, 5))
        said = "nothing"
    except InsufficientBalanceError:
        said = "balance"
    except RateLimitError as e:
        said = f"wait {e.retry_after}"
    except NetworkError:
        said = "network"
    except Exception as error:  # noqa: BLE001 - a risk rule says so before the venue can
        said = type(error).__name__
    assert said in ("balance", "RiskDenied")

    stats = await service.get_session_stats()
    print(f"Total Trades: {stats.total_trades}")
    metrics = await service.get_metrics()
    assert (stats.total_trades, metrics.position_count) == (1, 0)
    assert (await service.stop()).status is TradingSessionStatus.STOPPED
    assert await broker.get_positions() == []
    assert "Session started: " in capsys.readouterr().out


async def test_a_dry_run_of_it_is_paper_trading_on_the_same_market(tmp_path, testnet):
    config = TradingConfig(
        dry_run=True,  # No real orders
        testnet=True,  # Use testnet data
        log_trades=True,  # Log simulated trades
        data_dir=tmp_path,
    )
    service = LiveTradingService(config=config)
    broker = BinanceFuturesBroker(api_key="key", api_secret="secret", testnet=True)
    service.set_broker(broker)
    await service.start_session(strategies=[], symbols=["BTCUSDT"])
    try:
        await service.place_order("BTCUSDT", OrderSide.BUY, 0.01)

        assert service.live.venue.name == "paper"
        assert service.live.feed.name == "binance_futures"
    finally:
        await service.stop()
    assert [p.symbol for p in await broker.get_positions()] == []
