"""Holdfast: a live trading engine that never loses track of an order.

The public names. Each is imported when it is first used, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.engine import Engine as OrderExecutionBridge
    from .engine.explaining import Explanation
    from .feeds import FeedSettings, RecordingFeed, SyntheticFeed, open_feed
    from .model.config import TradingConfig
    from .model.errors import (
        CircuitOpenError,
        ConfigError,
        FeedError,
        Fenced,
        IllegalTransition,
        InputError,
        InsufficientBalanceError,
        JournalCorrupt,
        JournalError,
        JournalLocked,
        NetworkError,
        OutcomeUnknownError,
        RateLimitError,
        RiskDenied,
        SessionStateError,
        StrategyError,
        TradingError,
        UnknownOrderError,
        VenueError,
        VenueRefused,
        VenueUnavailable,
    )
    from .model.events import OrderFilled
    from .model.instrument import Instrument
    from .model.market import Bar, BookSnapshot, MarkPrice, Quote, Trade
    from .model.order_book import OrderBook
    from .model.order_wish import OrderWish
    from .model.signal import SignalGenerated
    from .model.signal import SignalGenerated as Signal
    from .model.values import (
        OrderStatus,
        OrderType,
        Side,
        SignalType,
        TimeInForce,
        TradingSessionStatus,
        Verdict,
        WorkingType,
    )
    from .model.values import Side as OrderSide
    from .runtime.binance import BinanceFuturesBroker
    from .runtime.broker import LiveBrokerAdapter, PaperBroker
    from .runtime.bus import EventBus
    from .runtime.circuit import CircuitBreaker
    from .runtime.recovery import StateRecoveryService
    from .runtime.runner import LiveStrategyRunner
    from .runtime.service import LiveTradingService
    from .runtime.tracker import PositionTracker
    from .runtime.trading_state import (
        Difference,
        PortfolioState,
        TradingState,
        reconcile_orders,
        reconcile_positions,
    )
    from .runtime.validator import PretradeRiskValidator
    from .runtime.views import Metrics, Order, OrderResult, Position, TradingSession
    from .stats import SessionStats
    from .strategies import (
        Context,
        MacdMomentumStrategy,
        OrderUpdate,
        RSIStrategy,
        SmaCrossStrategy,
        Strategy,
    )

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "feeds": ("FeedSettings", "RecordingFeed", "SyntheticFeed", "open_feed"),
    "engine.explaining": ("Explanation",),
    "model.config": ("TradingConfig",),
    "model.errors": (
        "CircuitOpenError",
        "ConfigError",
        "FeedError",
        "Fenced",
        "IllegalTransition",
        "InputError",
        "InsufficientBalanceError",
        "JournalCorrupt",
        "JournalError",
        "JournalLocked",
        "NetworkError",
        "OutcomeUnknownError",
        "RateLimitError",
        "RiskDenied",
        "SessionStateError",
        "StrategyError",
        "TradingError",
        "UnknownOrderError",
        "VenueError",
        "VenueRefused",
        "VenueUnavailable",
    ),
    "model.events": ("OrderFilled",),
    "model.instrument": ("Instrument",),
    "model.market": ("Bar", "BookSnapshot", "MarkPrice", "Quote", "Trade"),
    "model.order_book": ("OrderBook",),
    "model.order_wish": ("OrderWish",),
    "model.signal": ("SignalGenerated",),
    "model.values": (
        "OrderStatus",
        "OrderType",
        "Side",
        "SignalType",
        "TimeInForce",
        "TradingSessionStatus",
        "Verdict",
        "WorkingType",
    ),
    "runtime.binance": ("BinanceFuturesBroker",),
    "runtime.broker": ("LiveBrokerAdapter", "PaperBroker"),
    "runtime.bus": ("EventBus",),
    "runtime.circuit": ("CircuitBreaker",),
    "runtime.recovery": ("StateRecoveryService",),
    "runtime.runner": ("LiveStrategyRunner",),
    "runtime.service": ("LiveTradingService",),
    "runtime.tracker": ("PositionTracker",),
    "runtime.trading_state": (
        "Difference",
        "PortfolioState",
        "TradingState",
        "reconcile_orders",
        "reconcile_positions",
    ),
    "runtime.validator": ("PretradeRiskValidator",),
    "runtime.views": ("Metrics", "Order", "OrderResult", "Position", "TradingSession"),
    "stats": ("SessionStats",),
    "strategies": (
        "Context",
        "MacdMomentumStrategy",
        "OrderUpdate",
        "RSIStrategy",
        "SmaCrossStrategy",
        "Strategy",
    ),
}
_ALIASES = {
    "OrderExecutionBridge": ("engine.engine", "Engine"),
    "OrderSide": ("model.values", "Side"),
    "Signal": ("model.signal", "SignalGenerated"),
}
_WHERE = {name: (home, name) for home, names in _HOMES.items() for name in names} | _ALIASES

__all__ = [
    "Bar",
    "BinanceFuturesBroker",
    "BookSnapshot",
    "CircuitBreaker",
    "CircuitOpenError",
    "ConfigError",
    "Context",
    "Difference",
    "EventBus",
    "Explanation",
    "FeedError",
    "FeedSettings",
    "Fenced",
    "IllegalTransition",
    "InputError",
    "Instrument",
    "InsufficientBalanceError",
    "JournalCorrupt",
    "JournalError",
    "JournalLocked",
    "LiveBrokerAdapter",
    "LiveStrategyRunner",
    "LiveTradingService",
    "MacdMomentumStrategy",
    "MarkPrice",
    "Metrics",
    "NetworkError",
    "Order",
    "OrderBook",
    "OrderExecutionBridge",
    "OrderFilled",
    "OrderResult",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "OrderUpdate",
    "OrderWish",
    "OutcomeUnknownError",
    "PaperBroker",
    "PortfolioState",
    "Position",
    "PositionTracker",
    "PretradeRiskValidator",
    "Quote",
    "RSIStrategy",
    "RateLimitError",
    "RecordingFeed",
    "RiskDenied",
    "SessionStateError",
    "SessionStats",
    "Side",
    "Signal",
    "SignalGenerated",
    "SignalType",
    "SmaCrossStrategy",
    "StateRecoveryService",
    "Strategy",
    "StrategyError",
    "SyntheticFeed",
    "TimeInForce",
    "Trade",
    "TradingConfig",
    "TradingError",
    "TradingSession",
    "TradingSessionStatus",
    "TradingState",
    "UnknownOrderError",
    "VenueError",
    "VenueRefused",
    "VenueUnavailable",
    "Verdict",
    "WorkingType",
    "open_feed",
    "reconcile_orders",
    "reconcile_positions",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, attribute = _WHERE[name]
    value = getattr(importlib.import_module(f"{__name__}.{home}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
