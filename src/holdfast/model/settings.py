"""The settings that the engine goes by: plain, frozen, already checked.

`TradingConfig` reads them from files, environment and flags; nothing here knows of those.
Percentages are fractions: 0.1 is 10 %.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .ids import PREFIX
from .values import NS_PER_DAY, NS_PER_S

MESSAGES_COUNTED_MAX = 5_000
EXECUTIONS_COUNTED_MAX = 1_000
RETURNS_COUNTED_MAX = 998
"""So many are remembered, of messages, of one strategy's fills, and of a symbol's returns: no limit
may count further."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the risk rules compare with. None switches a limit off."""

    position_size_pct: Decimal = Decimal("0.1")  # of equity, per symbol
    max_leverage: Decimal = Decimal(10)  # gross notional over equity
    min_free_margin_pct: Decimal = Decimal("0.2")  # of equity
    max_daily_loss_pct: Decimal = Decimal("0.02")  # of equity at 00:00 UTC
    max_drawdown_pct: Decimal | None = None  # of the session's highest equity
    max_positions: int = 10
    max_gross_exposure_pct: Decimal | None = None  # of equity
    max_net_exposure_pct: Decimal | None = None  # of equity
    max_portfolio_exposure_pct: Decimal | None = None  # gross, over the session's accounts
    max_portfolio_daily_loss_pct: Decimal | None = None  # the same, of their equity at 00:00 UTC
    max_portfolio_drawdown_pct: Decimal | None = None  # of the highest equity they had together
    max_correlation: Decimal = Decimal("0.7")
    correlation_returns: int = 60  # window, in samples of `sample_s`
    correlation_returns_min: int = 20
    sample_s: int = 60  # one return a minute
    volatility_min: Decimal = Decimal(0)  # annualised standard deviation of returns
    volatility_max: Decimal = Decimal(5)
    volatility_returns_min: int = 10  # with fewer the band is not yet judged
    max_order_qty: Decimal | None = None  # base units; the venue's own maximum always holds
    max_order_notional: Decimal = Decimal(250_000)
    price_collar_pct: Decimal = Decimal("0.05")  # limit prices around the reference
    max_open_orders: int = 200  # of an account in a symbol, as the venue has it
    max_conditional_orders: int = 200  # waiting ones of an account, over all symbols
    stale_after_s: int = 10
    duplicate_window_s: int = 1
    max_messages: int = 100  # orders, cancels and amendments ...
    message_window_s: int = 10  # ... in this time
    message_reserve: int = 30  # of which so many are kept for cancels and exits
    max_executions: int = 30  # entry fills of one strategy ...
    execution_window_s: int = 60  # ... in this time
    disabled: tuple[str, ...] = ()  # names of rules that are not applied

    @property
    def has_portfolio(self) -> bool:
        """Tell whether a limit looks across accounts."""
        return (
            self.max_portfolio_exposure_pct is not None
            or self.max_portfolio_daily_loss_pct is not None
            or self.max_portfolio_drawdown_pct is not None
        )


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine decides."""

    limits: RiskLimits = RiskLimits()
    order_prefix: str = PREFIX  # tells our orders from others' on the same account
    use_market_orders: bool = True  # False: entries go as IOC limits at the tolerance
    slippage_tolerance: Decimal = Decimal("0.001")
    stop_loss_pct: Decimal = Decimal("0.02")  # for signals that name none; 0: no stop
    take_profit_pct: Decimal = Decimal("0.05")  # for signals that name none; 0: none
    recv_window_ns: int = 5 * NS_PER_S
    clock_skew_ns: int = NS_PER_S
    audit_interval_ns: int = 10 * NS_PER_S
    query_interval_ns: int = NS_PER_S  # between two questions after one order
    equity_interval_ns: int = 60 * NS_PER_S  # between two points of the equity curve
    protection_alarm_ns: int = 5 * NS_PER_S
    foreign_order_policy: str = "adopt"  # adopt (count, don't touch) | cancel | halt
    mismatch_policy: str = "halt"  # adopt | flatten | halt
    cancel_entries_on_pause: bool = True
    breaker_threshold: int = 5
    breaker_recovery_ns: int = 60 * NS_PER_S
    end_notice_ns: int = NS_PER_DAY  # ahead of a contract's end nothing is opened in it
