"""The listings of the specification, run as they are written: checks, states, recovery, breaker."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from decimal import Decimal

import pytest

from holdfast import (
    CircuitBreaker,
    CircuitOpenError,
    EventBus,
    LiveStrategyRunner,
    LiveTradingService,
    PaperBroker,
    PretradeRiskValidator,
    RSIStrategy,
    SignalGenerated,
    SignalType,
    SmaCrossStrategy,
    SyntheticFeed,
    TradingConfig,
    TradingState,
    reconcile_orders,
    reconcile_positions,
)
from holdfast.engine.housekeeping import MARGIN_RATIO_MAX
from holdfast.engine.session import TRANSITIONS
from holdfast.feeds import FeedSettings
from holdfast.model.values import NS_PER_S
from holdfast.model.values import TradingSessionStatus as S
from tests.runtime.session_desk import BTC, START, books_agree, config_in, crash_image, running

KEY = ("main", BTC)


def buy(quantity=None, **more):
    return SignalGenerated(
        symbol=BTC,
        signal_type=SignalType.BUY,
        quantity=None if quantity is None else Decimal(quantity),
        **more,
    )


# Risk validation


async def test_the_listing_of_the_validator_runs(tmp_path):
    class ListedValidator(PretradeRiskValidator):
        async def validate_signal(self, signal: SignalGenerated) -> bool:
            checks = [
                self.check_position_size(),
                self.check_leverage(),
                self.check_margin_requirements(),
                self.check_daily_loss_limit(),
                self.check_max_positions(),
                self.check_correlation_limits(),
                self.check_volatility_filters(),
            ]

            results = await asyncio.gather(*checks)
            return all(results)

    async with running(tmp_path) as desk:
        validator = ListedValidator(desk.service)

        assert await validator.validate_signal(buy("0.01"))
        assert not await validator.validate_signal(buy("0.1"))
        assert desk.state.orders == {}


DEFAULT_LIMITS = {
    "position_size_pct": "0.1",
    "max_leverage": "10",
    "min_free_margin_pct": "0.2",
    "max_daily_loss_pct": "0.02",
    "max_positions": "10",
    "max_correlation": "0.7",
}


@pytest.mark.parametrize(("name", "value"), DEFAULT_LIMITS.items())
def test_a_risk_rule_has_the_default_of_the_table(name, value):
    limits = TradingConfig().risk_limits()

    assert Decimal(getattr(limits, name)) == Decimal(value)


# The session's states


def test_the_table_has_every_move_of_the_diagram():
    diagram = {
        (S.STOPPED, S.STARTING),
        (S.STARTING, S.RUNNING),
        (S.RUNNING, S.PAUSED),
        (S.PAUSED, S.RUNNING),
        (S.RUNNING, S.STOPPING),
        (S.STOPPING, S.STOPPED),
        (S.RUNNING, S.ERROR),
        (S.ERROR, S.STOPPED),
    }

    assert diagram <= {(here, there) for here, ends in TRANSITIONS.items() for there in ends}


# State management


async def test_state_persistence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the settings' default folder is below it
    service = LiveTradingService(config=TradingConfig(dry_run=True, speed=0))
    async with running(tmp_path, service=service) as desk:
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        entry = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        state = await service.get_state()
        session_id = state.session_id

        state.save()
        recovered = TradingState.recover(session_id)

        for name in (
            "session_id",
            "portfolio_state",
            "open_orders",
            "positions",
            "pending_signals",
            "last_update",
        ):
            assert name in {field.name for field in fields(TradingState)}
        assert recovered.session_id == desk.service.session().id
        assert recovered.portfolio_state == state.portfolio_state
        assert recovered.portfolio_state.balances["USDT"] == (await service.get_metrics()).wallet
        assert recovered.open_orders == state.open_orders
        assert [p.quantity for p in recovered.positions] == [Decimal("0.01")]
        assert [s.quantity for s in recovered.pending_signals] == [entry.quantity]
        assert recovered.last_update == state.last_update


async def test_what_is_still_to_be_sent_of_an_entry_in_parts_is_pending(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.03", algo="twap:over=10m,slices=3")
        state = await desk.service.get_state()

        assert [s.quantity for s in state.pending_signals] == [Decimal("0.02")]
        assert [s.algo for s in state.pending_signals] == ["twap:over=10m,slices=3"]


async def test_recovery_procedures(tmp_path):
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        session_id = desk.service.session().id
        image = crash_image(tmp_path / "a", tmp_path / "b")
        feed = desk.feed.again()

    config = config_in(image, dry_run=False)
    broker = PaperBroker(config=config)
    service = LiveTradingService(config=config)
    service.set_broker(broker)
    differences = []

    async def resume_trading(state):
        session = await service.start_session(strategies=[], symbols=[BTC], feed=feed)
        assert session.id == state.session_id

    async def recover_from_crash():
        # 1. Load last known state
        state = TradingState.recover(session_id, config=config)

        # 2. Sync with exchange
        exchange_orders = await broker.get_open_orders()
        exchange_positions = await broker.get_positions()

        # 3. Reconcile differences
        differences.extend(reconcile_orders(state.open_orders, exchange_orders))
        differences.extend(reconcile_positions(state.positions, exchange_positions))

        # 4. Resume operations
        await resume_trading(state)

    await recover_from_crash()

    assert differences == []
    assert [p.quantity for p in await service.get_positions()] == [Decimal("0.01")]
    assert len(await service.get_orders()) == 2
    assert len(await broker.get_open_orders()) == 2
    await service.stop()
    assert books_agree(service)


# The runner on its own


async def test_live_strategy_runner():
    config = TradingConfig(symbols=["BTCUSDT"])
    market_data = SyntheticFeed(
        FeedSettings(symbols=(BTC,), start_ts=START, duration_s=2 * 3600, speed=0, seed=3)
    )
    event_bus = EventBus()
    heard: list[SignalGenerated] = []
    event_bus.subscribe("signal.generated", heard.append)

    # Initialize runner
    runner = LiveStrategyRunner(
        strategy_config=config,
        market_data_service=market_data,
        event_bus=event_bus,
    )

    # Add strategies
    runner.add_strategy("sma_cross", SmaCrossStrategy())
    runner.add_strategy("rsi", RSIStrategy())

    # Start running
    await runner.start()

    # Strategies will now generate signals automatically
    await runner.wait()
    await runner.stop()
    assert {signal.strategy_id for signal in heard} == {"sma_cross", "rsi"}
    assert all(isinstance(signal, SignalGenerated) for signal in heard)


# The circuit breaker


async def test_circuit_breaker_listing():
    breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=60)
    assert breaker.failure_count == 0
    assert breaker.failure_threshold == 5
    assert breaker.recovery_timeout == 60
    assert breaker.last_failure_time is None
    assert breaker.state == "CLOSED"

    async def func(value, *, times=1):
        if value is None:
            raise ConnectionResetError("gone")
        return value * times

    assert await breaker.call(func, 2, times=3) == 6
    for _ in range(5):
        with pytest.raises(ConnectionResetError):
            await breaker.call(func, None)
    assert breaker.state == "OPEN"
    with pytest.raises(CircuitOpenError):
        await breaker.call(func, 1)


def test_a_breaker_has_the_defaults_of_the_listing_by_itself_and_in_a_session():
    alone, settings = CircuitBreaker(), TradingConfig().engine_settings()

    assert (alone.failure_threshold, alone.recovery_timeout) == (5, 60)
    assert settings.breaker_threshold == alone.failure_threshold
    assert settings.breaker_recovery_ns == alone.recovery_timeout * NS_PER_S


def test_positions_are_closed_past_the_margin_ratio_of_the_listing():
    assert Decimal("0.8") == MARGIN_RATIO_MAX


# Configuration


def test_the_trading_configuration_has_the_defaults_of_the_listing():
    config = TradingConfig()

    assert (config.testnet, config.dry_run) == (True, False)
    assert config.max_positions == 10
    assert config.position_size_pct == Decimal("0.1")
    assert config.stop_loss_pct == Decimal("0.02")
    assert config.take_profit_pct == Decimal("0.05")
    assert config.max_daily_loss_pct == Decimal("0.02")
    assert config.use_market_orders is True
    assert config.slippage_tolerance == Decimal("0.001")
    assert config.retry_attempts == 3
    assert config.auto_restart is True
    assert config.save_state_interval == 60


def test_the_environment_file_of_the_specification_is_read(tmp_path):
    path = tmp_path / ".env"
    path.write_text(
        """# .env file
BINANCE_API_KEY=your_api_key
BINANCE_API_SECRET=your_api_secret
USE_TESTNET=true
DRY_RUN=false
MAX_POSITIONS=10
POSITION_SIZE_PCT=0.1
STOP_LOSS_PCT=0.02
AUTO_RESTART=true
"""
    )
    loaded = TradingConfig.load(env={}, dotenv=path)

    assert loaded.config.api_key == "your_api_key"
    assert loaded.config.api_secret == "your_api_secret"
    assert loaded.config.use_testnet is True
    assert loaded.config.dry_run is False
    assert loaded.config.max_positions == 10
    assert loaded.config.stop_loss_pct == Decimal("0.02")
    assert loaded.source_of("max_positions") == f"{path}:6"


def test_every_setting_can_be_an_argument_as_a_float():
    config = TradingConfig(
        api_key="a",
        api_secret="b",
        position_size_pct=0.25,
        stop_loss_pct=0.01,
        save_state_interval=5,
    )

    assert config.position_size_pct == Decimal("0.25")
    assert config.stop_loss_pct == Decimal("0.01")
