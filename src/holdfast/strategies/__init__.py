"""Strategies: what users subclass, and those that come with the house."""

from __future__ import annotations

from .base import HOOKS, Strategy, overridden_hooks
from .bollinger_reversion import BollingerReversionStrategy
from .context import Context, OrderUpdate
from .donchian_breakout import DonchianBreakoutStrategy
from .ema_cross import EmaCrossStrategy
from .macd_momentum import MacdMomentumStrategy
from .rsi import RSIStrategy
from .sma_cross import SmaCrossStrategy

__all__ = [
    "HOOKS",
    "STRATEGIES",
    "BollingerReversionStrategy",
    "Context",
    "DonchianBreakoutStrategy",
    "EmaCrossStrategy",
    "MacdMomentumStrategy",
    "OrderUpdate",
    "RSIStrategy",
    "SmaCrossStrategy",
    "Strategy",
    "overridden_hooks",
]

STRATEGIES: dict[str, type[Strategy]] = {
    "sma_cross": SmaCrossStrategy,
    "ema_cross": EmaCrossStrategy,
    "macd_momentum": MacdMomentumStrategy,
    "rsi": RSIStrategy,
    "bollinger_reversion": BollingerReversionStrategy,
    "donchian_breakout": DonchianBreakoutStrategy,
}
