"""The names that users import, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import holdfast

SPECIFIED = [
    "CircuitBreaker",
    "CircuitOpenError",
    "InsufficientBalanceError",
    "LiveBrokerAdapter",
    "LiveStrategyRunner",
    "LiveTradingService",
    "NetworkError",
    "Order",
    "OrderExecutionBridge",
    "OrderSide",
    "OrderType",
    "PortfolioState",
    "Position",
    "PretradeRiskValidator",
    "RateLimitError",
    "RSIStrategy",
    "Signal",
    "SignalGenerated",
    "SignalType",
    "SmaCrossStrategy",
    "StateRecoveryService",
    "TradingConfig",
    "TradingSession",
    "TradingSessionStatus",
    "TradingState",
    "reconcile_orders",
    "reconcile_positions",
]

HEAVY = [
    "aiohttp",
    "asyncio",
    "msgspec",
    "numpy",
    "pandas",
    "plotly",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "structlog",
    "typer",
    "uvloop",
]


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_name_of_the_specification_is_public(name):
    assert name in holdfast.__all__


def test_every_public_name_can_be_had_and_is_listed_once():
    assert sorted(set(holdfast.__all__)) == sorted(holdfast.__all__)
    for name in holdfast.__all__:
        assert getattr(holdfast, name) is not None
        assert name in dir(holdfast)
    assert set(holdfast._WHERE) <= set(holdfast.__all__)


def test_a_star_import_brings_them_all():
    names: dict[str, object] = {}
    exec("from holdfast import *", names)

    assert set(holdfast.__all__) <= set(names)


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="'holdfast' has no attribute 'Nothing'"):
        holdfast.Nothing  # noqa: B018
    with pytest.raises(ImportError, match="Nothing"):
        exec("from holdfast import Nothing")


def _modules_after(code: str) -> set[str]:
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{code}\nprint(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(out.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert _modules_after("import holdfast").isdisjoint(HEAVY)


def test_importing_values_imports_no_database_and_no_settings():
    loaded = _modules_after("from holdfast import Bar, Strategy, SignalType, TradingError")

    assert loaded.isdisjoint({"pydantic", "sqlalchemy", "aiohttp", "asyncio", "plotly"})


def test_what_public_hooks_are_given_and_public_calls_raise_is_public():
    assert holdfast.Context.__name__ in holdfast.__all__
    assert issubclass(holdfast.FeedError, holdfast.InputError)
