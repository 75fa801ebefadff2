"""Every parameter of a shipped strategy, written as text, changes what it wishes for."""

from __future__ import annotations

import inspect

import pytest

from holdfast.runtime.strategy_loading import load_strategy
from holdfast.strategies import STRATEGIES
from tests.indicators.series import walk
from tests.strategies.desk import Desk, bars_of

ANOTHER = {
    "sma_cross": {"fast": "5", "slow": "50", "allow_short": "no"},
    "ema_cross": {"fast": "5", "slow": "50", "allow_short": "no"},
    "macd_momentum": {"fast": "5", "slow": "50", "signal": "4", "allow_short": "no"},
    "rsi": {"period": "7", "low": "45", "high": "55", "middle": "65", "allow_short": "no"},
    "bollinger_reversion": {"period": "10", "width": "1", "allow_short": "no"},
    "donchian_breakout": {"entry": "40", "leave": "3", "allow_short": "no"},
}
CASES = [(name, key) for name, parameters in ANOTHER.items() for key in parameters]


def wishes(spec):
    return Desk(load_strategy(spec)[1]).run(bars_of(walk("dear", 3_000)))


def test_each_parameter_has_another_value_here():
    for name, strategy in STRATEGIES.items():
        assert {*ANOTHER[name], "timeframe"} == set(inspect.signature(strategy).parameters)


@pytest.mark.parametrize(("name", "key"), CASES, ids=[f"{n}:{k}" for n, k in CASES])
def test_another_value_is_another_behaviour(name, key):
    assert wishes(f"{name}:{key}={ANOTHER[name][key]}") != wishes(name)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_time_frame_is_what_is_asked_for(name):
    assert load_strategy(f"{name}:timeframe=5m")[1].timeframes == ("5m",)
    assert load_strategy(name)[1].timeframes == ()
