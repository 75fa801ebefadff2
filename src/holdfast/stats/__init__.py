"""Floor 1: folds over the journal. Trades, profit factor, drawdown, Sharpe, latency, books."""

from .books import Books, Wallet, fold_books, repeated_ids
from .context import Context
from .equity import EquityCurve, Point
from .fold import AtRest, SessionFold, fold_session
from .latency import Latencies, Spread
from .session import Breakdown, SessionStats
from .trips import RoundTrip, RoundTrips, round_trips

__all__ = [
    "AtRest",
    "Books",
    "Breakdown",
    "Context",
    "EquityCurve",
    "Latencies",
    "Point",
    "RoundTrip",
    "RoundTrips",
    "SessionFold",
    "SessionStats",
    "Spread",
    "Wallet",
    "fold_books",
    "fold_session",
    "repeated_ids",
    "round_trips",
]
