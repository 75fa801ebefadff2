"""The pre-trade checks by name."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast import InputError, PretradeRiskValidator, SignalGenerated, SignalType
from holdfast.runtime.validator import explanation_lines
from tests.runtime.session_desk import BTC, ETH, ScriptedFeed, running

CHECKS = (
    "check_position_size",
    "check_leverage",
    "check_margin_requirements",
    "check_daily_loss_limit",
    "check_max_positions",
    "check_correlation_limits",
    "check_volatility_filters",
)


def wish(kind=SignalType.BUY, symbol=BTC, quantity="0.004"):
    return SignalGenerated(symbol=symbol, signal_type=kind, quantity=Decimal(quantity))


async def failing(validator, signal):
    assert not await validator.validate_signal(signal)
    return [name for name in CHECKS if not await getattr(validator, name)()]


async def test_a_signal_within_all_limits_passes_every_check(tmp_path):
    async with running(tmp_path) as desk:
        validator = PretradeRiskValidator(desk.service)

        assert await validator.validate_signal(wish())
        for name in CHECKS:
            assert await getattr(validator, name)()
            assert await getattr(validator, name)(wish())


async def test_checks_without_a_signal_ask_for_one(tmp_path):
    async with running(tmp_path) as desk:
        for name in CHECKS:
            with pytest.raises(InputError, match="no signal to judge"):
                await getattr(PretradeRiskValidator(desk.service), name)()


class Listed(PretradeRiskValidator):
    """Asks its own list of checks, as the specification's does."""

    async def validate_signal(self, signal):
        return all(await asyncio.gather(*[getattr(self, name)() for name in CHECKS]))


@pytest.mark.parametrize("kind", [PretradeRiskValidator, Listed])
async def test_signals_that_are_validated_at_the_same_time_are_judged_each_by_itself(
    tmp_path, kind
):
    large, small = wish(quantity=3), wish()
    async with running(tmp_path) as desk:
        validator, other = kind(desk.service), kind(desk.service)

        for signals in ((large, small), (small, large)):
            answers = await asyncio.gather(*map(validator.validate_signal, signals))
            assert answers == [signal is small for signal in signals]

        async def asked_twice(signal):
            is_first = await validator.validate_signal(signal)
            assert await other.validate_signal(small)
            await asyncio.sleep(0)
            return is_first, await validator.check_leverage()

        assert await asyncio.gather(*map(asked_twice, (large, small))) == [
            (False, False),
            (True, True),
        ]


async def test_the_last_signal_that_was_validated_is_known_in_every_task(tmp_path):
    async with running(tmp_path) as desk:
        validator = PretradeRiskValidator(desk.service)
        await asyncio.create_task(validator.validate_signal(wish(quantity=3)))

        assert not await validator.check_leverage()


async def test_of_what_was_denied_before_any_rule_no_check_says_that_it_passes(tmp_path):
    async with running(tmp_path) as desk:
        validator = PretradeRiskValidator(desk.service)

        assert await failing(validator, wish(symbol="SOLUSDT", quantity=10**6)) == list(CHECKS)
        await desk.service.pause()
        assert await failing(validator, wish()) == list(CHECKS)


async def test_position_size_leverage_and_margin(tmp_path):
    async with running(tmp_path) as desk:
        validator = PretradeRiskValidator(desk.service)

        assert await failing(validator, wish(quantity="0.1")) == ["check_position_size"]
        assert await failing(validator, wish(quantity=3)) == [
            "check_position_size",
            "check_leverage",
            "check_margin_requirements",
        ]


async def test_max_positions_and_correlation(tmp_path):
    feed = ScriptedFeed((BTC, ETH))
    async with running(tmp_path, feed=feed, max_positions=1) as desk:
        validator = PretradeRiskValidator(desk.service)
        await desk.service.place_order(BTC, "BUY", "0.01")

        assert await failing(validator, wish(symbol=ETH, quantity="0.1")) == [
            "check_max_positions",
            "check_correlation_limits",  # what can't be measured yet does not pass
        ]
        assert await validator.validate_signal(wish(quantity="0.004"))


async def test_daily_loss_blocks_entries_but_never_exits(tmp_path):
    async with running(tmp_path, position_size_pct=1, max_daily_loss_pct="0.005") as desk:
        validator = PretradeRiskValidator(desk.service)
        await desk.service.place_order(BTC, "BUY", "0.1")
        await desk.feed.price(44_000)
        await desk.feed.pass_time(2)

        assert await failing(validator, wish()) == ["check_daily_loss_limit"]
        assert await validator.validate_signal(wish(SignalType.CLOSE))


async def test_volatility(tmp_path):
    settings = {"volatility_max": "0.5", "sample_s": 1, "volatility_returns_min": 5}
    async with running(tmp_path, **settings) as desk:
        for number in range(12):
            await desk.feed.price(45_000 + 200 * (number % 2), seconds=1)
        validator = PretradeRiskValidator(desk.service)

        assert await failing(validator, wish()) == ["check_volatility_filters"]


async def test_asking_changes_nothing_and_sends_nothing(tmp_path):
    async with running(tmp_path) as desk:
        sequence = desk.service.live.journal.sequence
        validator = PretradeRiskValidator(desk.service)
        await validator.validate_signal(wish())
        await validator.validate_signal(wish(quantity=100))
        lines = explanation_lines(validator.explain(wish(quantity="0.1")))

        assert desk.service.live.journal.sequence == sequence
        assert lines[0].startswith("ENTRY BUY 0.1 BTCUSDT MARKET by bracket")
        assert any("NO position_size" in line for line in lines)
        assert any("ok leverage" in line for line in lines)


async def test_a_denial_before_any_order_is_explained(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.pause()
        validator = PretradeRiskValidator(desk.service)

        assert not await validator.validate_signal(wish())
        assert explanation_lines(validator.explain(wish())) == [
            "denied by session: the session is PAUSED, not RUNNING"
        ]
