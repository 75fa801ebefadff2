"""Fold facts into a session's figures, one at a time, in bounded space."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import copy
from datetime import timedelta
from decimal import Decimal

import msgspec

from ..engine.account import is_loss
from ..model.errors import InputError
from ..model.events import (
    EpochStarted,
    EquitySampled,
    Event,
    FillRecognized,
    FundingPaid,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    SettlementPaid,
    SignalDenied,
    SignalReceived,
    WalletChanged,
)
from ..model.instrument import is_worth
from ..model.values import ZERO, AccountId, ClOrdId, Key, SessionId, StrategyId, Symbol
from .books import AssetKey, Books, Wallet
from .context import FOREIGN, Context
from .equity import EquityCurve
from .latency import Latencies
from .session import Breakdown, SessionStats
from .trips import OpenTrip, RoundTrip, RoundTrips

Booking = OrderFilled | FundingPaid | WalletChanged | SettlementPaid

NOT_BEGUN = SessionId("")
"""The session of facts that stand before the first `EpochStarted`."""


class SessionFold:
    """Count one session: the named one, or whichever is the newest.

    A session that is resumed goes on under its id; its epochs follow each other. What earlier
    sessions left open is known here, so that a trip begun there may end in this one.
    """

    def __init__(self, session_id: SessionId | None = None) -> None:
        self._wanted = session_id
        self._current = NOT_BEGUN
        self._context = Context()
        self._trips = RoundTrips(self._context)
        self._books = Books(self._context)
        self._tally = _Tally(session_id or NOT_BEGUN)

    def apply(self, fact: Event) -> RoundTrip | None:
        """Take one fact in; return the trip that it ended, where it belongs to the session."""
        if isinstance(fact, EpochStarted) and fact.session_id != self._current:
            self._current = fact.session_id
            if self._wanted is None:
                self._tally = _Tally(fact.session_id)
        self._context.apply(fact)
        trip = self._trips.apply(fact)
        if not self.is_inside:
            self._books.apply(fact)
            return None
        self._tally.book(fact, self._books, self._context)
        self._tally.count(fact, self._context)
        if trip is not None:
            self._tally.count_trip(trip)
        return trip

    @property
    def is_inside(self) -> bool:
        """Tell whether the last fact belongs to the session that is counted."""
        return self._wanted is None or self._current == self._wanted

    @property
    def session_id(self) -> SessionId:
        """Return the session that is counted."""
        return self._tally.session_id

    @property
    def was_seen(self) -> bool:
        """Tell whether any fact belonged to the session."""
        return self._tally.started_ts is not None

    def owner_of(self, cl_ord_id: ClOrdId) -> StrategyId:
        """Return the strategy that an order belongs to."""
        return self._context.owner_of(cl_ord_id)

    @property
    def curve(self) -> EquityCurve:
        """Return the equity curve: samples, or the wallet where there are fewer than two."""
        return self._tally.best_curve()

    def stats(self) -> SessionStats:
        """Return the figures as they stand."""
        return self._tally.stats()

    # At rest

    def rest(self) -> bytes:
        """Return all of it as bytes, for `wake` of this version."""
        return _encode(
            AtRest(
                wanted=self._wanted,
                current=self._current,
                context=self._context,
                open_trips=self._trips.open,
                positions=self._books.positions,
                wallets=self._books.wallets,
                tally=self._tally,
            )
        )

    @classmethod
    def wake(cls, resting: bytes, session_id: SessionId, *, is_new: bool = False) -> SessionFold:
        """Return a fold as it was when it came to rest.

        Args:
            is_new: the session begins behind what was folded; the fold may be of another one.

        Raises:
            InputError: the fold is of another session, or these are no such bytes.
        """
        try:
            found = _decode(resting)
        except msgspec.MsgspecError as error:
            raise InputError(f"no fold of a session: {error}") from error
        if not is_new and session_id not in {found.wanted, found.tally.session_id}:
            raise InputError(f"the fold is of session {found.tally.session_id}, not {session_id}")
        fold = cls(session_id)
        fold._current, fold._context = found.current, found.context
        fold._trips = RoundTrips(found.context, found.open_trips)
        fold._books = Books(found.context, found.positions, found.wallets)
        fold._tally = _Tally(session_id) if is_new else found.tally
        return fold


def fold_session(facts: Iterable[Event], session_id: SessionId | None = None) -> SessionStats:
    """Return the figures of a session; None takes the last one.

    Raises:
        InputError: no such session is in the facts.
    """
    fold = SessionFold(session_id)
    for fact in facts:
        fold.apply(fact)
    if session_id is not None and not fold.was_seen:
        raise InputError(f"no session {session_id!r} in the journal")
    return fold.stats()


def profit_factor(won: Decimal, lost: Decimal) -> float:
    """Return won over lost, both as sizes: 0 without a win, infinite with wins alone."""
    if not won:
        return 0.0
    return float(won / lost) if lost else math.inf


class _Tally(msgspec.Struct):
    """The counters of one session."""

    session_id: SessionId
    started_ts: int | None = None
    ended_ts: int = 0
    curve: EquityCurve = msgspec.field(default_factory=EquityCurve)
    wallet_curve: EquityCurve = msgspec.field(default_factory=EquityCurve)
    latencies: Latencies = msgspec.field(default_factory=Latencies)
    unrealized: dict[AccountId, Decimal] = {}
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    charges: Decimal = ZERO
    funding: Decimal = ZERO
    other_fees: dict[str, Decimal] = {}
    trades: int = 0
    wins: int = 0
    losses: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO
    best: Decimal | None = None
    worst: Decimal | None = None
    signals: int = 0
    orders: int = 0
    fills: int = 0
    rejected: int = 0
    rejection_reason: str = ""
    denials: dict[str, int] = {}
    denial_reasons: dict[str, str] = {}
    by_strategy: dict[StrategyId, Breakdown] = {}
    by_symbol: dict[Symbol, Breakdown] = {}
    by_account: dict[AccountId, Breakdown] = {}

    def count(self, fact: Event, context: Context) -> None:
        """Count one fact of the session."""
        if self.started_ts is None:
            self.started_ts = fact.ts
        self.ended_ts = fact.ts
        self.latencies.apply(fact)
        match fact:
            case OrderFilled() | FillRecognized():
                self._count_fill(fact, context)
            case FundingPaid():
                self.funding += fact.amount
            case SettlementPaid() if not fact.is_fee:
                self.realized += fact.amount
            case SettlementPaid():
                key = (fact.account, fact.symbol)
                self._pay(-fact.amount, fact.asset, context.margin_asset_of(key))
            case SignalReceived():
                self.signals += 1
            case OrderSubmitted():
                self.orders += 1
            case OrderRejected():
                self.rejected += 1
                self.rejection_reason = fact.reason
            case OrderDenied() | SignalDenied():
                self.denials[fact.rule] = self.denials.get(fact.rule, 0) + 1
                self.denial_reasons[fact.rule] = fact.reason
            case _:
                pass

    def _count_fill(self, fill: OrderFilled | FillRecognized, context: Context) -> None:
        if isinstance(fill, FillRecognized):
            self._give_fill(fill, context)
            return
        self.fills += 1
        self.realized += fill.realized_pnl
        own_asset = context.margin_asset_of((fill.account, fill.symbol))
        self._pay(fill.fee, fill.fee_asset, own_asset)
        owner = context.owner_of(fill.cl_ord_id)
        self.by_strategy.setdefault(owner, Breakdown()).count_fill(fill)
        self.by_symbol.setdefault(fill.symbol, Breakdown()).count_fill(fill)
        self.by_account.setdefault(fill.account, Breakdown()).count_fill(fill)

    def _pay(self, fee: Decimal, asset: str, own_asset: str) -> None:
        if asset == own_asset:
            self.fees += fee
        else:
            self.other_fees[asset] = self.other_fees.get(asset, ZERO) + fee

    def _give_fill(self, fill: FillRecognized, context: Context) -> None:
        """Count for its strategy what was counted as somebody else's."""
        nobodys = self.by_strategy.get(FOREIGN)
        if nobodys is None or not nobodys.fills or not fill.venue_ts:
            return  # it was counted in a session before, or never
        nobodys.count_fill(fill, -1)
        if nobodys == Breakdown():
            del self.by_strategy[FOREIGN]
        owner = context.owner_of(fill.cl_ord_id)
        self.by_strategy.setdefault(owner, Breakdown()).count_fill(fill)

    def count_trip(self, trip: RoundTrip) -> None:
        """Count a round trip that ended in the session."""
        net = trip.net_pnl
        self.trades += 1
        self.best = net if self.best is None else max(self.best, net)
        self.worst = net if self.worst is None else min(self.worst, net)
        if net > ZERO:
            self.wins, self.won = self.wins + 1, self.won + net
        elif net < ZERO:
            self.losses, self.lost = self.losses + 1, self.lost - net
        self.by_strategy.setdefault(trip.strategy_id, Breakdown()).count_trip(trip)
        self.by_symbol.setdefault(trip.symbol, Breakdown()).count_trip(trip)
        self.by_account.setdefault(trip.account, Breakdown()).count_trip(trip)

    def book(self, fact: Event, books: Books, context: Context) -> None:
        """Book one fact and follow equity and wallet with it."""
        match fact:
            case EquitySampled():
                self._sample(fact, context)
            case OrderFilled():
                asset = context.margin_asset_of((fact.account, fact.symbol))
                self._follow(fact, books, context, asset)
            case FundingPaid() | SettlementPaid():
                self._follow(fact, books, context, fact.asset)
            case WalletChanged() if not context.is_margin_asset(fact.asset):
                books.apply(fact)
            case WalletChanged() if is_loss(fact):
                self.charges -= fact.amount
                self._follow(fact, books, context, fact.asset)
            case WalletChanged():
                books.apply(fact)
                self.curve.flow(_share(context, fact.account, fact.asset), fact.amount)
                self.wallet_curve.flow(_purse(fact.account, fact.asset), fact.amount)
            case _:
                books.apply(fact)

    def _sample(self, fact: EquitySampled, context: Context) -> None:
        """Take a margin asset's equity in, where it can be added to the very first one's."""
        asset = fact.asset or context.first_margin_asset(fact.account)
        if is_worth(asset, context.shown_asset()):
            share = _share(context, fact.account, fact.asset)
            self.unrealized[share] = fact.unrealized
            self.curve.sample(share, fact.ts, fact.equity)

    def _follow(self, fact: Booking, books: Books, context: Context, asset: str) -> None:
        """Add the wallet before (when new) and after a fact to its curve; see `_sample`."""
        account = fact.account
        if not is_worth(asset, context.shown_asset()):
            books.apply(fact)
            return
        purse = _purse(account, asset)
        if not self.wallet_curve.knows(purse):
            self.wallet_curve.sample(purse, fact.ts, books.balance(account, asset))
        books.apply(fact)
        self.wallet_curve.sample(purse, fact.ts, books.balance(account, asset))

    def best_curve(self) -> EquityCurve:
        """Return the curve of samples, or the wallet's where there are fewer than two."""
        return self.curve if self.curve.sample_count else self.wallet_curve

    def stats(self) -> SessionStats:
        """Return the figures as they stand."""
        curve, started = self.best_curve(), self.started_ts or 0
        return SessionStats(
            session_id=self.session_id,
            started_ts=started,
            ended_ts=self.ended_ts,
            duration=timedelta(microseconds=(self.ended_ts - started) // 1000),
            total_trades=self.trades,
            winning_trades=self.wins,
            losing_trades=self.losses,
            win_rate=self.wins / self.trades if self.trades else 0.0,
            profit_factor=profit_factor(self.won, self.lost),
            total_pnl=self.realized - self.fees - self.charges + self.funding,
            realized_pnl=self.realized,
            unrealized_pnl=sum(self.unrealized.values(), ZERO),
            fees=self.fees,
            charges=self.charges,
            other_fees=dict(self.other_fees),
            funding=self.funding,
            equity_start=curve.start,
            equity_end=curve.end,
            sampled_ts=self.curve.points[-1].ts if self.curve.sample_count else 0,
            max_drawdown=curve.max_drawdown,
            sharpe_ratio=curve.sharpe(),
            sortino_ratio=curve.sortino(),
            average_win=self.won / self.wins if self.wins else ZERO,
            average_loss=-self.lost / self.losses if self.losses else ZERO,
            expectancy=(self.won - self.lost) / self.trades if self.trades else ZERO,
            best_trade=self.best or ZERO,
            worst_trade=self.worst or ZERO,
            signals=self.signals,
            orders=self.orders,
            fills=self.fills,
            denied=sum(self.denials.values()),
            rejected=self.rejected,
            rejection_reason=self.rejection_reason,
            denials=dict(self.denials),
            denial_reasons=dict(self.denial_reasons),
            to_accept=self.latencies.to_accept(),
            to_fill=self.latencies.to_fill(),
            by_strategy={key: copy(part) for key, part in self.by_strategy.items()},
            by_symbol={key: copy(part) for key, part in self.by_symbol.items()},
            by_account={key: copy(part) for key, part in self.by_account.items()},
        )


def _share(context: Context, account: AccountId, asset: str) -> AccountId:
    """Return what the curve keeps a margin asset under: the first is the account's own name.

    So it goes on where facts told of one asset alone, and did not name it.
    """
    is_first = asset in {"", context.first_margin_asset(account)}
    return account if is_first else _purse(account, asset)


def _purse(account: AccountId, asset: str) -> AccountId:
    """Return what the wallet curve keeps an account's asset under."""
    return AccountId(f"{account}/{asset}")


class AtRest(msgspec.Struct, frozen=True, kw_only=True):
    """All that a `SessionFold` remembers."""

    wanted: SessionId | None
    current: SessionId
    context: Context
    open_trips: dict[Key, OpenTrip]
    positions: dict[Key, Decimal]
    wallets: dict[AssetKey, Wallet]
    tally: _Tally


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AtRest).decode
