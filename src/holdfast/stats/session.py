"""What became of a session, in figures."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from ..model.events import FillRecognized, OrderFilled
from ..model.values import ZERO, AccountId, SessionId, StrategyId, Symbol
from .latency import Spread
from .trips import RoundTrip


class Breakdown(msgspec.Struct, kw_only=True):
    """One strategy's or one symbol's part of a session."""

    total_trades: int = 0
    winning_trades: int = 0
    losing_trades: int = 0
    net_pnl: Decimal = ZERO  # of round trips that ended, after fees
    fills: int = 0
    volume: Decimal = ZERO  # quote currency

    @property
    def win_rate(self) -> float:
        """Return the fraction of round trips that won; 0 where there is none."""
        return self.winning_trades / self.total_trades if self.total_trades else 0.0

    def count_trip(self, trip: RoundTrip) -> None:
        """Count a round trip that ended."""
        self.total_trades += 1
        self.winning_trades += trip.net_pnl > ZERO
        self.losing_trades += trip.net_pnl < ZERO
        self.net_pnl += trip.net_pnl

    def count_fill(self, fill: OrderFilled | FillRecognized, number: int = 1) -> None:
        """Count one execution; `number` -1 takes it out again."""
        self.fills += number
        self.volume += number * fill.qty * fill.price


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one session. Every figure is defined for a session in which nothing happened.

    A trade is a round trip that ended in the session; it wins when its profit after fees is
    above zero. `total_pnl` is what trading moved in the wallet: realized - fees - charges +
    funding; open positions are in `unrealized_pnl` and in the equity, as of the last sample. Money
    is in the margin asset; margin assets count alike, and fees in another are in `other_fees`.
    Fractions are fractions: 0.05 is 5 %.
    """

    session_id: SessionId = SessionId("")
    started_ts: int = 0
    ended_ts: int = 0  # of the last fact while the session is not over
    duration: timedelta = timedelta(0)  # pauses and restarts included
    total_trades: int = 0
    winning_trades: int = 0
    losing_trades: int = 0
    win_rate: float = 0.0
    profit_factor: float = 0.0  # won over lost; infinite with wins and no loss
    total_pnl: Decimal = ZERO
    realized_pnl: Decimal = ZERO  # before fees
    unrealized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    other_fees: dict[str, Decimal] = {}
    charges: Decimal = ZERO  # what else went and nobody moved, as a liquidation's clearance
    funding: Decimal = ZERO  # what we paid is negative
    equity_start: Decimal = ZERO
    equity_end: Decimal = ZERO
    sampled_ts: int = 0  # of that, and of `unrealized_pnl`; 0 with fewer than two samples
    max_drawdown: float = 0.0
    sharpe_ratio: float = 0.0
    sortino_ratio: float = 0.0  # infinite where nothing was ever lost
    average_win: Decimal = ZERO
    average_loss: Decimal = ZERO  # negative
    expectancy: Decimal = ZERO  # profit of the average trade
    best_trade: Decimal = ZERO
    worst_trade: Decimal = ZERO
    signals: int = 0
    orders: int = 0
    fills: int = 0
    denied: int = 0  # orders and signals
    rejected: int = 0
    rejection_reason: str = ""  # the venue's, of the last one
    denials: dict[str, int] = {}  # by rule
    denial_reasons: dict[str, str] = {}  # the last of each rule
    to_accept: Spread = Spread()
    to_fill: Spread = Spread()
    by_strategy: dict[StrategyId, Breakdown] = {}
    by_symbol: dict[Symbol, Breakdown] = {}
    by_account: dict[AccountId, Breakdown] = {}
